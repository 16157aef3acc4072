#include "quintet/engine/nn/attention.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::nn {

using kernels::packed_bytes;
using kernels::padded_depth;
using kernels::panel_count;
using kernels::WeightFormat;

PackedKeyValues::PackedKeyValues(WeightFormat format, int64_t heads, int64_t head_dim,
                                 int64_t max_keys)
    : format_(format),
      heads_(heads),
      head_dim_(head_dim),
      max_keys_(max_keys),
      key_bytes_(packed_bytes(format, max_keys, head_dim)),
      head_bytes_(key_bytes_ + packed_bytes(format, head_dim, max_keys)),
      data_(static_cast<size_t>(heads * head_bytes_)) {}

void PackedKeyValues::pack(Runtime& run, MatrixView<const float> k, MatrixView<const float> v) {
  QT_CHECK_LE(k.rows, max_keys_);
  QT_CHECK_EQ(k.rows, v.rows);
  keys_ = k.rows;
  run.pool.parallel_for(heads_, [&](int64_t head) {
    const int64_t column = head * head_dim_;
    kernels::pack_keys(format_, {k.data + column, keys_, head_dim_, k.stride}, head_data(head));
    kernels::pack_values(format_, {v.data + column, keys_, head_dim_, v.stride},
                         head_data(head) + key_bytes_);
  });
}

kernels::PackedWeights PackedKeyValues::key_weights(int64_t head) const {
  return {.format = format_, .n = keys_, .k = head_dim_, .panels = head_data(head)};
}

kernels::PackedWeights PackedKeyValues::value_weights(int64_t head) const {
  return {.format = format_, .n = head_dim_, .k = keys_, .panels = head_data(head) + key_bytes_};
}

AttentionScratch::AttentionScratch(int threads, int64_t head_dim, int64_t max_keys)
    : max_keys_(padded_depth(WeightFormat::kBF16, max_keys)),
      head_dim_(padded_depth(WeightFormat::kBF16, head_dim)),
      scores_(threads * kQueryBlock * max_keys_),
      weights_(threads * kQueryBlock * max_keys_),
      queries_(threads * kQueryBlock * head_dim_) {}

MatrixView<float> AttentionScratch::scores(int64_t lane, int64_t keys) {
  return {scores_.data() + lane * kQueryBlock * max_keys_, kQueryBlock, keys, max_keys_};
}

MatrixView<bf16> AttentionScratch::weights(int64_t lane, int64_t keys) {
  return {weights_.data() + lane * kQueryBlock * max_keys_, kQueryBlock, keys, max_keys_};
}

MatrixView<bf16> AttentionScratch::queries(int64_t lane, int64_t head_dim) {
  return {queries_.data() + lane * kQueryBlock * head_dim_, kQueryBlock, head_dim, head_dim_};
}

size_t AttentionScratch::bytes() const {
  return static_cast<size_t>(scores_.size()) * sizeof(float) +
         static_cast<size_t>(weights_.size() + queries_.size()) * sizeof(bf16);
}

namespace {

// One head of one group.
void attend_head(MatrixView<const float> q, const AttentionGroup& group, int64_t head, int64_t lane,
                 AttentionScratch& scratch, MatrixView<float> out,
                 const AttentionObserver* observer) {
  const PackedKeyValues& kv = *group.kv;
  const int64_t dim = kv.head_dim();
  const auto keys = kv.key_weights(head);
  const auto values = kv.value_weights(head);
  const MatrixView<const float> query{q.row(group.first) + head * dim, group.rows, dim, q.stride};
  const MatrixView<float> result{out.row(group.first) + head * dim, group.rows, dim, out.stride};
  const auto scores = scratch.scores(lane, kv.keys()).rows_from(0, group.rows);

  if (kv.format() == WeightFormat::kF32) {
    kernels::gemm_f32(query, keys, {}, scores, 0, panel_count(keys.n));
  } else {
    const auto converted = scratch.queries(lane, dim).rows_from(0, group.rows);
    kernels::convert_rows(query, converted);
    kernels::gemm_bf16(converted, keys, {}, scores, 0, panel_count(keys.n));
  }
  for (int64_t r = 0; r < group.rows; ++r) kernels::softmax(scores.row(r), kv.keys());
  if (observer != nullptr) (*observer)(head, group.first, scores);
  if (kv.format() == WeightFormat::kF32) {
    kernels::gemm_f32(scores, values, {}, result, 0, panel_count(values.n));
  } else {
    const auto weights = scratch.weights(lane, kv.keys()).rows_from(0, group.rows);
    kernels::convert_rows(scores, weights);
    kernels::gemm_bf16(weights, values, {}, result, 0, panel_count(values.n));
  }
}

}  // namespace

void attend_packed(Runtime& run, MatrixView<const float> q, const PackedKeyValues& kv,
                   AttentionScratch& scratch, MatrixView<float> out,
                   const AttentionObserver* observer) {
  constexpr int64_t kBlock = AttentionScratch::kQueryBlock;
  QT_CHECK_EQ(q.cols, kv.heads() * kv.head_dim());
  const int64_t blocks = (q.rows + kBlock - 1) / kBlock;
  // Blocks of one head follow each other: its packed keys and values stay in L2.
  run.pool.parallel_for_lanes(kv.heads() * blocks, [&](int64_t lane, int64_t task) {
    const int64_t first = task % blocks * kBlock;
    attend_head(q, {&kv, first, std::min(kBlock, q.rows - first)}, task / blocks, lane, scratch,
                out, observer);
  });
}

void attend_packed(Runtime& run, MatrixView<const float> q, std::span<const AttentionGroup> groups,
                   AttentionScratch& scratch, MatrixView<float> out,
                   const AttentionObserver* observer) {
  if (groups.empty()) return;
  const int64_t heads = groups[0].kv->heads();
  QT_CHECK_EQ(q.cols, heads * groups[0].kv->head_dim());
  const int64_t count = std::ssize(groups);
  run.pool.parallel_for_lanes(heads * count, [&](int64_t lane, int64_t task) {
    const AttentionGroup& group = groups[static_cast<size_t>(task % count)];
    attend_head(q, group, task / count, lane, scratch, out, observer);
  });
}

}  // namespace quintet::nn
