// Self-attention of an encoder in int8: queries, keys and values are quantised as they are made.
#pragma once

#include <cstdint>

#include "quintet/core/aligned.h"
#include "quintet/core/tensor.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/attention/attend_i8.h"

namespace quintet::nn {

// Memory for one layer at a time, used in three steps: quantize for all rows, pack, attend.
class Int8Attention {
 public:
  // Room for up to `max_rows` rows. REQUIRES: 1 <= head_dim <= kernels::kMaxInt8HeadDim.
  Int8Attention(int64_t heads, int64_t head_dim, int64_t max_rows);

  // Quantises the queries and keys of rows [first, first + qkv.rows). Different rows may be given
  // from different threads. Shapes: qkv [rows, 3 * heads * head_dim].
  void quantize(int64_t first, MatrixView<const float> qkv);
  // Packs the keys, and the values of `qkv`, which has all rows.
  void pack(Runtime& run, MatrixView<const float> qkv);
  // out = softmax(q K^T) V for every head; 1 / sqrt(head_dim) is expected inside q.
  // Shapes: out [rows, heads * head_dim].
  void attend(Runtime& run, MatrixView<float> out) const;

  size_t bytes() const;

 private:
  kernels::QuantizedRows head_rows(const AlignedArray<int8_t>& bytes,
                                   const AlignedArray<float>& scales,
                                   const AlignedArray<int32_t>& sums, int64_t head) const;
  kernels::Int8KeyValues head_key_values(int64_t head) const;

  int64_t heads_;
  int64_t dim_;
  int64_t padded_dim_;
  int64_t max_rows_;
  int64_t rows_ = 0;
  // [rows][heads][padded_dim]; scales and sums [heads][rows].
  AlignedArray<int8_t> q_;
  AlignedArray<int8_t> k_;
  AlignedArray<float> q_scales_;
  AlignedArray<float> k_scales_;
  AlignedArray<int32_t> q_sums_;
  AlignedArray<int32_t> k_sums_;
  // One after another for each head.
  AlignedBytes key_panels_;
  AlignedBytes value_panels_;
  AlignedArray<float> key_scales_;    // [heads][rows, padded to whole panels]
  AlignedArray<float> value_scales_;  // [heads][padded_dim, padded to whole panels]
};

}  // namespace quintet::nn
