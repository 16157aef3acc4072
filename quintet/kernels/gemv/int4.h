// y = x W^T with 4-bit weights and int8 rows, for few rows: decoding, where the time is that of
// reading the weights.
//
// Inputs go in groups of 32. A panel of 64 output channels is one stream of blocks of 1152 bytes,
// one for each group:
//     64 scales, bfloat16: word w of the first 64 bytes holds those of channels w and 16 + w, word
//     w of the second those of channels 32 + w and 48 + w (lower half first); 4 lines of 256 bytes:
//     line l has 4 bytes for each channel, byte j of which holds inputs 8 l + j in its lower half
//     and 8 l + 4 + j in its upper half.
// So two masks turn a register of weights into two operands for products of bytes, and a shift and
// a mask turn a register of scales into those of two registers of channels. The real weight is
// scale * (stored - 8).
//
// Numerics: the products of a group are exact in int32; groups are added in float32 in rising
// order, multiplied by their scales with a fused multiply-add (two roundings at the base level). A
// row gives the same result alone and in a batch, bit for bit (on one instruction set).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// Packs w [N, K] as above. The scale of each group is the one of a small search that leaves the
// least sum of importance[k] * error^2; null: all ones. The mean square of input k is what makes
// that the error of the product. The result is the same on every processor.
// Shapes: panels packed_bytes(kI4, N, K); importance [K].
void pack_weights_i4(MatrixView<const float> w, const float* importance, std::byte* panels);

// The real weight [n, k].
float unpacked_weight_i4(const PackedWeights& w, int64_t n, int64_t k);

// As gemm_i8, for w.format == kI4. REQUIRES: x.group_sums is set; rows of x are padded with zeros
// to padded_depth(kI4, K).
void gemm_i4(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel);

}  // namespace quintet::kernels
