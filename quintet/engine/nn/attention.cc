#include "quintet/engine/nn/attention.h"

#include <algorithm>
#include <array>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::nn {

using kernels::kPanelWidth;
using kernels::packed_bytes;
using kernels::padded_depth;
using kernels::panel_count;
using kernels::WeightFormat;

namespace {

int64_t padded_channels(int64_t n) { return panel_count(n) * kPanelWidth; }

trace::Work pack_work(const PackedKeyValues& kv) {
  const int64_t values = 2 * kv.keys() * kv.heads() * kv.head_dim();
  const int64_t packed = dtype_bytes(kernels::operand_type(kv.format()));
  return {.activation_bytes = static_cast<double>(values) * (sizeof(float) + packed)};
}

}  // namespace

PackedKeyValues::PackedKeyValues(WeightFormat format, int64_t heads, int64_t head_dim,
                                 int64_t max_keys)
    : format_(format),
      heads_(heads),
      head_dim_(head_dim),
      max_keys_(max_keys),
      key_bytes_(packed_bytes(format, max_keys, head_dim)),
      head_bytes_(key_bytes_ + packed_bytes(format, head_dim, max_keys)),
      data_(static_cast<size_t>(heads * head_bytes_)) {
  QT_CHECK(format != WeightFormat::kI4);
  if (format != WeightFormat::kI8) return;
  QT_CHECK_LE(head_dim, kernels::kMaxInt8HeadDim);
  key_scales_ = AlignedArray<float>(heads * padded_channels(max_keys));
  value_scales_ = AlignedArray<float>(heads * padded_channels(head_dim));
}

void PackedKeyValues::pack(Runtime& run, MatrixView<const float> k, MatrixView<const float> v) {
  QT_CHECK_LE(k.rows, max_keys_);
  QT_CHECK_EQ(k.rows, v.rows);
  keys_ = k.rows;
  const trace::Scope scope(run.trace, "pack_keys_values", pack_work(*this), run.pool.threads());
  // Keys and values of a head are two tasks of about the same length.
  run.pool.parallel_for(2 * heads_, [&](int64_t task) {
    const int64_t head = task / 2;
    const bool values = task % 2 != 0;
    const auto& from = values ? v : k;
    const MatrixView<const float> part{from.data + head * head_dim_, keys_, head_dim_, from.stride};
    std::byte* value_panels = head_data(head) + key_bytes_;
    if (format_ != WeightFormat::kI8) {
      if (values) return kernels::pack_values(format_, part, value_panels);
      return kernels::pack_keys(format_, part, head_data(head));
    }
    if (!values) return pack_int8_keys(head, part);
    kernels::pack_values_i8(part, value_panels,
                            value_scales_.data() + head * padded_channels(head_dim_));
  });
}

void PackedKeyValues::pack_int8_keys(int64_t head, MatrixView<const float> k) {
  alignas(64) std::array<int8_t, kPanelWidth * kernels::kMaxInt8HeadDim> data;
  std::array<float, kPanelWidth> scales;
  std::array<int32_t, kPanelWidth> sums;
  const int64_t stride = padded_depth(format_, head_dim_);
  for (int64_t first = 0; first < keys_; first += kPanelWidth) {
    const int64_t rows = std::min(kPanelWidth, keys_ - first);
    const kernels::QuantizedRows panel = {data.data(), rows, stride, scales.data(), sums.data()};
    kernels::quantize_rows(k.rows_from(first, rows), panel);
    kernels::pack_keys_i8(
        panel, head_dim_,
        head_data(head) + first / kPanelWidth * kernels::panel_bytes(format_, head_dim_),
        key_scales_.data() + head * padded_channels(max_keys_) + first);
  }
}

size_t PackedKeyValues::bytes() const {
  return data_.size() +
         static_cast<size_t>(key_scales_.size() + value_scales_.size()) * sizeof(float);
}

kernels::PackedWeights PackedKeyValues::key_weights(int64_t head) const {
  return {.format = format_,
          .n = keys_,
          .k = head_dim_,
          .panels = head_data(head),
          .scales = format_ == WeightFormat::kI8
                        ? key_scales_.data() + head * padded_channels(max_keys_)
                        : nullptr};
}

kernels::PackedWeights PackedKeyValues::value_weights(int64_t head) const {
  QT_CHECK(format_ != WeightFormat::kI8);
  return {.format = format_, .n = head_dim_, .k = keys_, .panels = head_data(head) + key_bytes_};
}

kernels::Int8KeyValues PackedKeyValues::int8_head(int64_t head) const {
  QT_CHECK(format_ == WeightFormat::kI8);
  return {.keys = key_weights(head),
          .value_panels = head_data(head) + key_bytes_,
          .value_scales = value_scales_.data() + head * padded_channels(head_dim_)};
}

AttentionScratch::AttentionScratch(int threads, int64_t head_dim, int64_t max_keys)
    : max_keys_(padded_depth(WeightFormat::kBF16, max_keys)),
      head_dim_(padded_depth(WeightFormat::kBF16, head_dim)),
      scores_(threads * kQueryBlock * max_keys_),
      weights_(threads * kQueryBlock * max_keys_),
      queries_(threads * kQueryBlock * head_dim_),
      query_scales_(threads * kQueryBlock),
      query_sums_(threads * kQueryBlock) {}

MatrixView<float> AttentionScratch::scores(int64_t lane, int64_t keys) {
  return {scores_.data() + lane * kQueryBlock * max_keys_, kQueryBlock, keys, max_keys_};
}

MatrixView<bf16> AttentionScratch::weights(int64_t lane, int64_t keys) {
  return {weights_.data() + lane * kQueryBlock * max_keys_, kQueryBlock, keys, max_keys_};
}

MatrixView<bf16> AttentionScratch::queries(int64_t lane, int64_t head_dim) {
  return {queries_.data() + lane * kQueryBlock * head_dim_, kQueryBlock, head_dim, head_dim_};
}

kernels::QuantizedRows AttentionScratch::quantized_queries(int64_t lane, int64_t rows,
                                                           int64_t head_dim) {
  return {reinterpret_cast<int8_t*>(queries(lane, head_dim).data), rows,
          padded_depth(WeightFormat::kI8, head_dim), query_scales_.data() + lane * kQueryBlock,
          query_sums_.data() + lane * kQueryBlock};
}

size_t AttentionScratch::bytes() const {
  return static_cast<size_t>(scores_.size() + query_scales_.size() + query_sums_.size()) *
             sizeof(float) +
         static_cast<size_t>(weights_.size() + queries_.size()) * sizeof(bf16);
}

namespace {

// One head of a group: its queries, and where their results go.
struct HeadTask {
  const PackedKeyValues& kv;
  int64_t head;
  MatrixView<const float> query;
  MatrixView<float> result;
  MatrixView<float> scores;
};

void show_weights(const HeadTask& task, int64_t first_query, const AttentionObserver* observer) {
  for (int64_t r = 0; r < task.scores.rows; ++r) {
    kernels::softmax(task.scores.row(r), task.scores.cols);
  }
  if (observer != nullptr) (*observer)(task.head, first_query, task.scores);
}

void attend_f32(const HeadTask& task, int64_t first_query, const AttentionObserver* observer) {
  const auto keys = task.kv.key_weights(task.head);
  const auto values = task.kv.value_weights(task.head);
  kernels::gemm_f32(task.query, keys, {}, task.scores, 0, panel_count(keys.n));
  show_weights(task, first_query, observer);
  kernels::gemm_f32(task.scores, values, {}, task.result, 0, panel_count(values.n));
}

void attend_bf16(const HeadTask& task, int64_t first_query, const AttentionObserver* observer,
                 MatrixView<bf16> query, MatrixView<bf16> weights) {
  const auto keys = task.kv.key_weights(task.head);
  const auto values = task.kv.value_weights(task.head);
  kernels::convert_rows(task.query, query);
  kernels::gemm_bf16(query, keys, {}, task.scores, 0, panel_count(keys.n));
  show_weights(task, first_query, observer);
  kernels::convert_rows(task.scores, weights);
  kernels::gemm_bf16(weights, values, {}, task.result, 0, panel_count(values.n));
}

void attend_int8(const HeadTask& task, int64_t first_query, const AttentionObserver* observer,
                 const kernels::QuantizedRows& query) {
  kernels::quantize_rows(task.query, query);
  kernels::attend_i8(query, task.kv.int8_head(task.head), task.result);
  if (observer == nullptr) return;
  const auto keys = task.kv.key_weights(task.head);
  kernels::gemm_i8(query, keys, {}, task.scores, 0, panel_count(keys.n));
  show_weights(task, first_query, observer);
}

}  // namespace

void attend_head(MatrixView<const float> q, const AttentionGroup& group, int64_t head, int64_t lane,
                 AttentionScratch& scratch, MatrixView<float> out,
                 const AttentionObserver* observer) {
  const PackedKeyValues& kv = *group.kv;
  const int64_t dim = kv.head_dim();
  const HeadTask task = {kv,
                         head,
                         {q.row(group.first) + head * dim, group.rows, dim, q.stride},
                         {out.row(group.first) + head * dim, group.rows, dim, out.stride},
                         scratch.scores(lane, kv.keys()).rows_from(0, group.rows)};
  switch (kv.format()) {
    case WeightFormat::kF32: return attend_f32(task, group.first, observer);
    case WeightFormat::kBF16:
      return attend_bf16(task, group.first, observer,
                         scratch.queries(lane, dim).rows_from(0, group.rows),
                         scratch.weights(lane, kv.keys()).rows_from(0, group.rows));
    case WeightFormat::kI8:
      return attend_int8(task, group.first, observer,
                         scratch.quantized_queries(lane, group.rows, dim));
    case WeightFormat::kI4: break;  // Refused by the constructor.
  }
}

trace::Work attention_work(DType type, int64_t queries, int64_t keys, int64_t width) {
  const auto pairs = static_cast<double>(queries) * static_cast<double>(keys * width);
  return {.operations = 4 * pairs,
          .weight_bytes = static_cast<double>(2 * keys * width * dtype_bytes(type)),
          .activation_bytes = 2 * sizeof(float) * static_cast<double>(queries * width),
          .arithmetic = type};
}

void attend_packed(Runtime& run, MatrixView<const float> q, const PackedKeyValues& kv,
                   AttentionScratch& scratch, MatrixView<float> out,
                   const AttentionObserver* observer) {
  constexpr int64_t kBlock = AttentionScratch::kQueryBlock;
  QT_CHECK_EQ(q.cols, kv.heads() * kv.head_dim());
  const DType type = kernels::operand_type(kv.format());
  const trace::Scope scope(run.trace, "attention", attention_work(type, q.rows, kv.keys(), q.cols),
                           run.pool.threads());
  const int64_t blocks = (q.rows + kBlock - 1) / kBlock;
  // Blocks of one head follow each other: its packed keys and values stay in L2.
  run.pool.parallel_for_lanes(kv.heads() * blocks, [&](int64_t lane, int64_t task) {
    const int64_t first = task % blocks * kBlock;
    attend_head(q, {&kv, first, std::min(kBlock, q.rows - first)}, task / blocks, lane, scratch,
                out, observer);
  });
}

}  // namespace quintet::nn
