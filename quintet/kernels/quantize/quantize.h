// From float32 activations to the formats that the matrix kernels read.
#pragma once

#include "quintet/core/dtype.h"
#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// int8 per row, symmetric: scale = max|x| / 127 (0 for a zero row), round to nearest even.
// Writes the padding of each row up to padded_depth(kI8, x.cols) as zero; with q.group_sums, those
// and the padding up to padded_depth(kI4, x.cols).
// REQUIRES: finite x; q.rows == x.rows; q.stride >= that depth.
void quantize_rows(MatrixView<const float> x, const QuantizedRows& q);

// bfloat16, round to nearest even; pads each row with zero up to padded_depth(kBF16, x.cols).
// REQUIRES: y.stride >= padded_depth(kBF16, x.cols).
void convert_rows(MatrixView<const float> x, MatrixView<bf16> y);

// n values from one type to the other.
void bf16_to_f32_array(const bf16* x, float* y, int64_t n);
void f16_to_f32_array(const uint16_t* x, float* y, int64_t n);

}  // namespace quintet::kernels
