#include "quintet/engine/nn/paged_attention.h"

#include <algorithm>
#include <array>

#include "quintet/core/check.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::nn {
namespace {

using kernels::PackedWeights;
using kernels::WeightFormat;

constexpr int64_t kBlockKeys = PagedScratch::kBlockKeys;
constexpr int64_t kPageKeys = KeyValuePages::kTokens;

// Queries and attention weights, in the format of keys and values.
struct Products {
  WeightFormat format;

  void scores(const PagedScratch::Lane& lane, const PackedWeights& keys, MatrixView<float> to) {
    switch (format) {
      case WeightFormat::kF32: return kernels::gemm_f32(lane.queries, keys, {}, to, 0, 1);
      case WeightFormat::kBF16: return kernels::gemm_bf16(lane.bf16_queries, keys, {}, to, 0, 1);
      default: return kernels::gemm_i8(lane.int8_queries, keys, {}, to, 0, 1);
    }
  }

  // lane.block_sums += the weights of the keys from `first` on times their values.
  void add_values(const PagedScratch::Lane& lane, int64_t first, const PackedWeights& values) {
    const int64_t panels = kernels::panel_count(values.n);
    const kernels::Epilogue add = {.residual = first == 0 ? nullptr : lane.block_sums.data};
    if (format == WeightFormat::kF32) {
      const MatrixView<const float> weights = {lane.scores.data + first, lane.scores.rows,
                                               kPageKeys, lane.scores.stride};
      kernels::gemm_f32(weights, values, add, lane.block_sums, 0, panels);
    } else {
      const MatrixView<const bf16> weights = {lane.bf16_weights.data + first, lane.scores.rows,
                                              kPageKeys, lane.bf16_weights.stride};
      kernels::gemm_bf16(weights, values, add, lane.block_sums, 0, panels);
    }
  }
};

// The rows of one call: query heads of a group, token by token.
class Attention {
 public:
  Attention(const KeyValuePages& cache, const PagedHeads& heads, int64_t head,
            const PagedQueries& queries, PagedScratch::Lane lane)
      : cache_(cache),
        heads_(heads),
        head_(head),
        queries_(queries),
        lane_(lane),
        group_(heads.query_heads / cache.shape().heads),
        rows_(queries.tokens * group_),
        products_{cache.shape().format} {
    for (MatrixView<float>* part : {&lane_.queries, &lane_.scores, &lane_.sums, &lane_.block_sums})
      part->rows = rows_;
    lane_.bf16_queries.rows = lane_.bf16_weights.rows = lane_.int8_queries.rows = rows_;
    std::fill_n(lane_.states.begin(), rows_, kernels::SoftmaxState());
  }

  void load(MatrixView<const float> q) {
    const int64_t dim = cache_.shape().head_dim;
    for (int64_t r = 0; r < rows_; ++r) {
      const float* from = q.row(queries_.row + r / group_) + (head_ * group_ + r % group_) * dim;
      float* to = lane_.queries.row(r);
      for (int64_t d = 0; d < dim; ++d) to[d] = from[d] * heads_.scale;
      std::fill_n(lane_.sums.row(r), dim, 0.0f);
    }
    if (products_.format == WeightFormat::kBF16) {
      kernels::convert_rows(lane_.queries, lane_.bf16_queries);
    }
    if (products_.format == WeightFormat::kI8) {
      const MatrixView<const float> queries = {lane_.queries.data, rows_, dim,
                                               lane_.queries.stride};
      kernels::quantize_rows(queries, lane_.int8_queries);
    }
  }

  void run() {
    const int64_t end = position(rows_ - 1) + 1;
    const int64_t begin = first_key(0) / kBlockKeys * kBlockKeys;
    for (int64_t block = begin; block < end; block += kBlockKeys) {
      add_block(block, std::min(kBlockKeys, end - block));
    }
  }

  void store(MatrixView<float> out) {
    const int64_t dim = cache_.shape().head_dim;
    for (int64_t r = 0; r < rows_; ++r) {
      float* to = out.row(queries_.row + r / group_) + (head_ * group_ + r % group_) * dim;
      const float inverse = 1.0f / lane_.states[static_cast<size_t>(r)].sum;
      for (int64_t d = 0; d < dim; ++d) to[d] = lane_.sums.row(r)[d] * inverse;
    }
  }

 private:
  int64_t position(int64_t row) const { return queries_.position + row / group_; }
  int64_t first_key(int64_t row) const {
    return heads_.window == 0 ? 0 : std::max<int64_t>(0, position(row) - heads_.window + 1);
  }

  void add_block(int64_t first, int64_t keys) {
    const int64_t pages = (keys + kPageKeys - 1) / kPageKeys;
    const int32_t* page = queries_.pages.data() + first / kPageKeys;
    for (int64_t p = 0; p < pages; ++p) {
      MatrixView<float> to = {lane_.scores.data + p * kPageKeys, rows_, kPageKeys,
                              lane_.scores.stride};
      products_.scores(lane_, cache_.keys(heads_.layer, page[p], head_), to);
    }
    std::array<float, PagedScratch::kMaxRows> corrections;
    for (int64_t r = 0; r < rows_; ++r) {
      const int64_t from = std::clamp<int64_t>(first_key(r) - first, 0, keys);
      const int64_t to = std::clamp<int64_t>(position(r) + 1 - first, from, keys);
      corrections[static_cast<size_t>(r)] = kernels::add_scores(
          lane_.states[static_cast<size_t>(r)], lane_.scores.row(r), pages * kPageKeys, from, to);
    }
    weigh_values(page, pages);
    for (int64_t r = 0; r < rows_; ++r) {
      kernels::scale_add(lane_.sums.row(r), corrections[static_cast<size_t>(r)],
                         lane_.block_sums.row(r), cache_.shape().head_dim);
    }
  }

  // block_sums = the weights in `scores` times the values of the pages.
  void weigh_values(const int32_t* page, int64_t pages) {
    if (products_.format == WeightFormat::kI8) return weigh_int8_values(page, pages);
    if (products_.format == WeightFormat::kBF16) {
      const MatrixView<const float> weights = {lane_.scores.data, rows_, pages * kPageKeys,
                                               lane_.scores.stride};
      kernels::convert_rows(weights, lane_.bf16_weights);
    }
    for (int64_t p = 0; p < pages; ++p) {
      products_.add_values(lane_, p * kPageKeys, cache_.values(heads_.layer, page[p], head_));
    }
  }

  void weigh_int8_values(const int32_t* page, int64_t pages) {
    std::array<kernels::Int8ValuePage, kBlockKeys / kPageKeys> values;
    for (int64_t p = 0; p < pages; ++p) {
      values[static_cast<size_t>(p)] = cache_.int8_values(heads_.layer, page[p], head_);
    }
    const auto used =
        std::span<const kernels::Int8ValuePage>(values).first(static_cast<size_t>(pages));
    for (int64_t r = 0; r < rows_; ++r) {
      lane_.weight_steps[r] = kernels::quantize_weights_u8(used, lane_.scores.row(r),
                                                           lane_.byte_weights + r * kBlockKeys);
    }
    MatrixView<float> sums = lane_.block_sums;
    sums.cols = cache_.shape().head_dim;
    kernels::weighted_values_i8(lane_.byte_weights, kBlockKeys, lane_.weight_steps, used, sums);
  }

  const KeyValuePages& cache_;
  const PagedHeads& heads_;
  int64_t head_;
  const PagedQueries& queries_;
  PagedScratch::Lane lane_;
  int64_t group_;
  int64_t rows_;
  Products products_;
};

}  // namespace

PagedScratch::PagedScratch(int threads, int64_t group, int64_t head_dim)
    : rows_(kQueryTokens * group),
      head_dim_(kernels::padded_depth(WeightFormat::kI8, head_dim)),
      floats_(threads * rows_ * (3 * head_dim_ + kBlockKeys + 2)),
      halves_(threads * rows_ * (head_dim_ + kBlockKeys)),
      query_sums_(threads * rows_),
      states_(static_cast<size_t>(threads * rows_)) {
  QT_CHECK_LE(rows_, kMaxRows);
}

size_t PagedScratch::bytes() const {
  return static_cast<size_t>(floats_.size()) * sizeof(float) +
         static_cast<size_t>(halves_.size()) * sizeof(bf16) +
         states_.size() * sizeof(kernels::SoftmaxState);
}

PagedScratch::Lane PagedScratch::lane(int64_t lane) {
  float* floats = floats_.data() + lane * rows_ * (3 * head_dim_ + kBlockKeys + 2);
  bf16* halves = halves_.data() + lane * rows_ * (head_dim_ + kBlockKeys);
  const auto next = [&](auto*& from, int64_t cols) {
    const auto view = matrix(from, rows_, cols);
    from += rows_ * cols;
    return view;
  };
  Lane parts;
  parts.scores = next(floats, kBlockKeys);
  parts.queries = next(floats, head_dim_);
  parts.sums = next(floats, head_dim_);
  parts.block_sums = next(floats, head_dim_);
  parts.bf16_weights = next(halves, kBlockKeys);
  parts.bf16_queries = next(halves, head_dim_);
  // Int8 takes the place of bfloat16.
  parts.byte_weights = reinterpret_cast<uint8_t*>(parts.bf16_weights.data);
  parts.weight_steps = floats;
  parts.int8_queries = {reinterpret_cast<int8_t*>(parts.bf16_queries.data), rows_, head_dim_,
                        floats + rows_, query_sums_.data() + lane * rows_};
  parts.states =
      std::span(states_).subspan(static_cast<size_t>(lane * rows_), static_cast<size_t>(rows_));
  return parts;
}

void attend_paged(const KeyValuePages& cache, const PagedHeads& heads, int64_t head,
                  const PagedQueries& queries, MatrixView<const float> q, PagedScratch& scratch,
                  int64_t lane, MatrixView<float> out) {
  QT_CHECK_LE(queries.tokens, PagedScratch::kQueryTokens);
  Attention attention(cache, heads, head, queries, scratch.lane(lane));
  attention.load(q);
  attention.run();
  attention.store(out);
}

}  // namespace quintet::nn
