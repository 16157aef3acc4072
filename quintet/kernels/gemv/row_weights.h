// y = x W^T for single outputs picked out of many: int8 weights with the inputs of each output one
// after another, where the panels of gemm.h would read a whole panel for one of its channels.
//
// Numerics: the same bits as gemm_i8 over the same weights.
#pragma once

#include <cstdint>
#include <span>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// Bytes of one row: K rounded up to whole cache lines.
constexpr int64_t row_weight_stride(int64_t k) { return (k + 63) / 64 * 64; }

// Weights that somebody else owns: scale[n] * (stored - 128).
struct RowWeights {
  int64_t n = 0;
  int64_t k = 0;
  const std::byte* rows = nullptr;  // [n, row_weight_stride(k)], 64-byte aligned.
  const float* scales = nullptr;    // [n]

  const std::byte* row(int64_t i) const { return rows + i * row_weight_stride(k); }
};

// Symmetric per row, scale = max|w| / 127, as pack_weights(kI8). The padding is arbitrary.
void pack_row_weights(MatrixView<const float> w, std::byte* rows, float* scales);

// The real weights of one row, [k].
void unpack_row(const RowWeights& w, int64_t row, float* to);

// y[i] = x . w[ids[i]] for one row of x. REQUIRES: 0 <= ids[i] < w.n; y.size() == ids.size().
void multiply_rows(const QuantizedRows& x, const RowWeights& w, std::span<const int32_t> ids,
                   std::span<float> y);

// Columns [first, last) of y = x W^T for all rows of x. Shapes: y [M, N].
void multiply_all_rows(const QuantizedRows& x, const RowWeights& w, MatrixView<float> y,
                       int64_t first, int64_t last);

}  // namespace quintet::kernels
