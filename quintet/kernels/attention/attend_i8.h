// Attention of many queries over the keys and values of one head, in int8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

inline constexpr int64_t kMaxInt8HeadDim = 256;
// Queries that share one walk over the keys: 4 register tiles of 6 rows.
inline constexpr int64_t kInt8QueryBlock = 24;

// Keys and values of one head, quantised and packed; somebody else owns the memory.
struct Int8KeyValues {
  PackedWeights keys;  // kI8, [n keys, d]: one scale per key.
  // V^T [d, n] in the layout of a kI8 matrix, but signed, without the 128; one scale per channel.
  const std::byte* value_panels = nullptr;
  const float* value_scales = nullptr;  // [panel_count(d) * 64]
};

// Packs rows that quantize_rows has made. The bytes of `k` are changed.
// Shapes: k [n, d] with stride padded_depth(kI8, d) or more; panels packed_bytes(kI8, n, d), scales
// [panel_count(n) * 64].
void pack_keys_i8(const QuantizedRows& k, int64_t d, std::byte* panels, float* scales);

// Symmetric per channel over all keys. Shapes: v [n, d] -> panels packed_bytes(kI8, d, n), scales
// [panel_count(d) * 64].
void pack_values_i8(MatrixView<const float> v, std::byte* panels, float* scales);

// out = softmax(q K^T) V for up to kInt8QueryBlock queries; 1 / sqrt(d) is expected inside q.
// Shapes: q [rows, d] (row_sums are needed), out [rows, d].
// Numerics: exact integer products; exponentials to 1e-4; attention weights as 8-bit integers
// relative to the largest in their block of 256 keys, and divided by the sum of those integers, so
// that they sum to one. A row's result does not depend on the other rows.
// The blocks are joined as in FlashAttention (Dao et al. 2022), the integers follow SageAttention
// (Zhang et al. 2024).
// REQUIRES: 1 <= d <= kMaxInt8HeadDim, at least one key.
void attend_i8(const QuantizedRows& q, const Int8KeyValues& kv, MatrixView<float> out);

}  // namespace quintet::kernels
