#include "quintet/engine/nn/int8_attention.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/engine/nn/attention.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::nn {
namespace {

using kernels::kPanelWidth;
using kernels::packed_bytes;
using kernels::panel_count;
using kernels::WeightFormat;

constexpr auto kI8 = WeightFormat::kI8;

int64_t padded(int64_t channels) { return panel_count(channels) * kPanelWidth; }

}  // namespace

Int8Attention::Int8Attention(int64_t heads, int64_t head_dim, int64_t max_rows)
    : heads_(heads),
      dim_(head_dim),
      padded_dim_(kernels::padded_depth(kI8, head_dim)),
      max_rows_(max_rows),
      q_(max_rows * heads * padded_dim_),
      k_(max_rows * heads * padded_dim_),
      q_scales_(max_rows * heads),
      k_scales_(max_rows * heads),
      q_sums_(max_rows * heads),
      k_sums_(max_rows * heads),
      key_panels_(static_cast<size_t>(heads * packed_bytes(kI8, max_rows, head_dim))),
      value_panels_(static_cast<size_t>(heads * packed_bytes(kI8, head_dim, max_rows))),
      key_scales_(heads * padded(max_rows)),
      value_scales_(heads * padded(head_dim)) {
  QT_CHECK(head_dim >= 1 && head_dim <= kernels::kMaxInt8HeadDim);
}

void Int8Attention::quantize(int64_t first, MatrixView<const float> qkv) {
  const int64_t d = heads_ * dim_;
  QT_CHECK_EQ(qkv.cols, 3 * d);
  QT_CHECK_LE(first + qkv.rows, max_rows_);
  for (int64_t head = 0; head < heads_; ++head) {
    const MatrixView<const float> q{qkv.data + head * dim_, qkv.rows, dim_, qkv.stride};
    const MatrixView<const float> k{q.data + d, qkv.rows, dim_, qkv.stride};
    kernels::quantize_rows(q, head_rows(q_, q_scales_, q_sums_, head).rows_from(first, qkv.rows));
    kernels::quantize_rows(k, head_rows(k_, k_scales_, k_sums_, head).rows_from(first, qkv.rows));
  }
}

void Int8Attention::pack(Runtime& run, MatrixView<const float> qkv) {
  QT_CHECK_LE(qkv.rows, max_rows_);
  rows_ = qkv.rows;
  const int64_t first_value = 2 * heads_ * dim_;
  const auto values = static_cast<double>(rows_ * heads_ * dim_);
  // Values from float32, keys from int8, both to int8.
  const trace::Scope scope(run.trace, "pack_keys_values",
                           {.activation_bytes = (sizeof(float) + 3) * values}, run.pool.threads());
  run.pool.parallel_for(2 * heads_, [&](int64_t task) {
    const int64_t head = task / 2;
    if (task % 2 == 0) {
      kernels::pack_keys_i8(head_rows(k_, k_scales_, k_sums_, head).rows_from(0, rows_), dim_,
                            key_panels_.data() + head * packed_bytes(kI8, max_rows_, dim_),
                            key_scales_.data() + head * padded(max_rows_));
    } else {
      kernels::pack_values_i8({qkv.data + first_value + head * dim_, rows_, dim_, qkv.stride},
                              value_panels_.data() + head * packed_bytes(kI8, dim_, max_rows_),
                              value_scales_.data() + head * padded(dim_));
    }
  });
}

void Int8Attention::attend(Runtime& run, MatrixView<float> out) const {
  constexpr int64_t kBlock = kernels::kInt8QueryBlock;
  QT_CHECK_EQ(out.rows, rows_);
  const trace::Scope scope(run.trace, "attention",
                           attention_work(DType::kI8, rows_, rows_, heads_ * dim_),
                           run.pool.threads());
  const int64_t blocks = (rows_ + kBlock - 1) / kBlock;
  // Blocks of one head follow each other: its packed keys and values stay in L2.
  run.pool.parallel_for(heads_ * blocks, [&](int64_t task) {
    const int64_t head = task / blocks;
    const int64_t first = task % blocks * kBlock;
    const int64_t count = std::min(kBlock, rows_ - first);
    kernels::attend_i8(head_rows(q_, q_scales_, q_sums_, head).rows_from(first, count),
                       head_key_values(head),
                       {out.row(first) + head * dim_, count, dim_, out.stride});
  });
}

kernels::QuantizedRows Int8Attention::head_rows(const AlignedArray<int8_t>& bytes,
                                                const AlignedArray<float>& scales,
                                                const AlignedArray<int32_t>& sums,
                                                int64_t head) const {
  // The kernels' view of rows is one for reading and writing.
  return {.data = const_cast<int8_t*>(bytes.data()) + head * padded_dim_,
          .rows = max_rows_,
          .stride = heads_ * padded_dim_,
          .scales = const_cast<float*>(scales.data()) + head * max_rows_,
          .row_sums = const_cast<int32_t*>(sums.data()) + head * max_rows_};
}

kernels::Int8KeyValues Int8Attention::head_key_values(int64_t head) const {
  return {.keys = {.format = kI8,
                   .n = rows_,
                   .k = dim_,
                   .panels = key_panels_.data() + head * packed_bytes(kI8, max_rows_, dim_),
                   .scales = key_scales_.data() + head * padded(max_rows_)},
          .value_panels = value_panels_.data() + head * packed_bytes(kI8, dim_, max_rows_),
          .value_scales = value_scales_.data() + head * padded(dim_)};
}

size_t Int8Attention::bytes() const {
  return static_cast<size_t>(q_.size() + k_.size()) +
         static_cast<size_t>(q_scales_.size() + k_scales_.size() + q_sums_.size() + k_sums_.size() +
                             key_scales_.size() + value_scales_.size()) *
             sizeof(float) +
         key_panels_.size() + value_panels_.size();
}

}  // namespace quintet::nn
