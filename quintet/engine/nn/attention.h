// Attention over keys and values packed once: encoder self-attention, decoder cross-attention.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/tensor.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/attention/attend_i8.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

// Keys and values of all heads, each head packed as two weight matrices: K [keys, Dh] and
// V^T [Dh, keys]. In int8, keys have a scale each and values one for each channel.
class PackedKeyValues {
 public:
  // Room for up to `max_keys` keys of `heads` heads of `head_dim`. Formats: kF32, kBF16, kI8 (for
  // head_dim up to kernels::kMaxInt8HeadDim).
  PackedKeyValues(kernels::WeightFormat format, int64_t heads, int64_t head_dim, int64_t max_keys);

  // Packs k and v [keys, heads * head_dim]; what was there before is gone.
  void pack(Runtime& run, MatrixView<const float> k, MatrixView<const float> v);

  kernels::WeightFormat format() const { return format_; }
  int64_t heads() const { return heads_; }
  int64_t head_dim() const { return head_dim_; }
  int64_t keys() const { return keys_; }
  size_t bytes() const;

  kernels::PackedWeights key_weights(int64_t head) const;
  kernels::PackedWeights value_weights(int64_t head) const;  // Not of kI8.
  kernels::Int8KeyValues int8_head(int64_t head) const;      // Of kI8.

 private:
  void pack_int8_keys(int64_t head, MatrixView<const float> k);

  std::byte* head_data(int64_t head) { return data_.data() + head * head_bytes_; }
  const std::byte* head_data(int64_t head) const { return data_.data() + head * head_bytes_; }

  kernels::WeightFormat format_;
  int64_t heads_;
  int64_t head_dim_;
  int64_t keys_ = 0;
  int64_t max_keys_;
  int64_t key_bytes_;  // Room for the keys of one head; its values follow.
  int64_t head_bytes_;
  AlignedBytes data_;
  // kI8: scales of keys and of channels, padded to whole panels, for each head.
  AlignedArray<float> key_scales_;
  AlignedArray<float> value_scales_;
};

// Scratch of the lanes of attend_packed: one block of scores each.
class AttentionScratch {
 public:
  AttentionScratch(int threads, int64_t head_dim, int64_t max_keys);
  static constexpr int64_t kQueryBlock = kernels::kInt8QueryBlock;

  MatrixView<float> scores(int64_t lane, int64_t keys);
  MatrixView<bf16> weights(int64_t lane, int64_t keys);
  MatrixView<bf16> queries(int64_t lane, int64_t head_dim);
  kernels::QuantizedRows quantized_queries(int64_t lane, int64_t rows, int64_t head_dim);
  size_t bytes() const;

 private:
  int64_t max_keys_;
  int64_t head_dim_;
  AlignedArray<float> scores_;
  AlignedArray<bf16> weights_;
  AlignedArray<bf16> queries_;  // Or int8.
  AlignedArray<float> query_scales_;
  AlignedArray<int32_t> query_sums_;
};

// Sees the attention weights of some queries of one head, [queries, keys]; calls for different
// heads and blocks come from different threads.
using AttentionObserver =
    std::function<void(int64_t head, int64_t first_query, MatrixView<const float> weights)>;

// out = softmax(q K^T) V for every head; the 1 / sqrt(Dh) is expected inside q.
// Shapes: q, out [T, heads * head_dim].
void attend_packed(Runtime& run, MatrixView<const float> q, const PackedKeyValues& kv,
                   AttentionScratch& scratch, MatrixView<float> out,
                   const AttentionObserver* observer = nullptr);

// What attention cannot do without, for traces: both products over keys and values of `type`, for
// `width` = heads * head_dim. The softmax is not counted.
trace::Work attention_work(DType type, int64_t queries, int64_t keys, int64_t width);

// Queries that attend to the same keys: rows [first, first + rows) of q, at most
// AttentionScratch::kQueryBlock of them, to `kv`.
struct AttentionGroup {
  const PackedKeyValues* kv;
  int64_t first;
  int64_t rows;
};

// One head of one group on the thread that owns `lane`.
void attend_head(MatrixView<const float> q, const AttentionGroup& group, int64_t head, int64_t lane,
                 AttentionScratch& scratch, MatrixView<float> out,
                 const AttentionObserver* observer = nullptr);

}  // namespace quintet::nn
