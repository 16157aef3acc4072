#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// Attention of one query over n keys and values found through pointers, for a decoder whose cache
// rows need not lie in order (beams share prefixes):
//   out = sum_i softmax_i(q . k_i) v_i
// The 1 / sqrt(d) is expected inside q. Each k[i], v[i] points to d floats; `scores` is scratch of
// n floats and holds the probabilities afterwards. The result depends on q, k, v and n alone.
// REQUIRES: n > 0, d > 0.
void attend(const float* q, const float* const* k, const float* const* v, int64_t n, int64_t d,
            float* scores, float* out);

// Packs rows of activations as the panels of a weight matrix, so that attention over many queries
// is two gemms: scores = q K^T with K as [n keys, d], out = p V with V^T as [d, n keys].
// Formats kF32 and kBF16, layout as in gemm.h; the padding of panels and groups is zero.
// pack_keys: k [n, d] -> packed_bytes(format, n, d). pack_values: v [n, d] -> packed_bytes(format,
// d, n).
void pack_keys(WeightFormat format, MatrixView<const float> k, std::byte* panels);
void pack_values(WeightFormat format, MatrixView<const float> v, std::byte* panels);

}  // namespace quintet::kernels
