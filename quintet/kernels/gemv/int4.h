// y = x W^T with 4-bit weights and int8 rows: decoding, where the time is that of reading the
// weights, and prompts, where it is that of the products; the same bits in both.
//
// Inputs go in groups of 32. A channel has a scale and a zero for each group; its weights are
//     scale * (8 q + zero - 128),   q = 0 ... 15,   zero = 0 ... 135,
// so the zero counts eighths of a step, 8 q + zero is a byte, and 64 makes the group symmetric. A
// panel of 64 output channels is one stream of blocks of 1216 bytes, one for each group:
//     64 scales, bfloat16: word w of the first 64 bytes holds those of channels w and 16 + w, word
//     w of the second those of channels 32 + w and 48 + w (lower half first); 64 zeros: word w
//     holds those of channels w, 16 + w, 32 + w and 48 + w; 4 lines of 256 bytes: line l has 4
//     bytes for each channel, byte j of which holds input 8 l + j in its lower half and 8 l + 4 + j
//     in its upper half.
// So masks and shifts turn a register of weights into two operands for products of bytes, one of
// scales into those of two registers of channels, one of zeros into those of four.
//
// Numerics: the sum of (8 q + zero - 128) x over a group is exact in int32; groups are added in
// float32 in rising order, multiplied by their scales with a fused multiply-add (two roundings at
// the base level). A row gives the same result alone and in a batch, bit for bit (on one
// instruction set).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// Weights that were 4-bit codes before: minimum + step * q, q = 0 ... 15.
struct Int4Grid {
  float step = 0;
  float minimum = 0;
};

// Packs w [N, K] as above. Scale and zero of each group are those of a small search that leave the
// least sum of importance[k] * error^2; null: all ones. The mean square of input k is what makes
// that the error of the product. Where a group stands on its grid (null: no grids are known), its
// codes are kept. The result is the same on every processor.
// Shapes: panels packed_bytes(kI4, N, K); importance [K]; grids [N, ceil(K / 32)].
void pack_weights_i4(MatrixView<const float> w, const float* importance, std::byte* panels,
                     const Int4Grid* grids = nullptr);

// The real weight [n, k].
float unpacked_weight_i4(const PackedWeights& w, int64_t n, int64_t k);

// As gemm_i8, for w.format == kI4. REQUIRES: x.group_sums is set; rows of x are padded with zeros
// to padded_depth(kI4, K).
void gemm_i4(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel);

}  // namespace quintet::kernels
