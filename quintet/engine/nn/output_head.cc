#include "quintet/engine/nn/output_head.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::nn {
namespace {

using kernels::WeightFormat;

constexpr auto kCoarse = WeightFormat::kI4;

trace::Work exact_work(const kernels::RowWeights& w, int64_t rows) {
  const auto count = [](int64_t n) { return static_cast<double>(n); };
  return {.operations = 2 * count(rows * w.n * w.k),
          .weight_bytes = count(w.n * kernels::row_weight_stride(w.k)),
          .activation_bytes = sizeof(float) * count(rows * (w.n + w.k)),
          .arithmetic = DType::kI8};
}

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// The best estimates that are always compared: enough to know their error within a few per cent.
constexpr int64_t kCompared = 32;
// Estimates this far below the best are compared too: their probabilities count in the sum that
// makes probabilities of logits. (e^7 = 1100.)
constexpr float kDepth = 7;
// Of a normal distribution, 6 deviations leave one in 10^9 outside, on either side.
constexpr float kDeviations = 6;

// The i-th largest, counted from 1; kForbidden where there are fewer.
float ith_largest(std::vector<float> values, int64_t i) {
  if (std::ssize(values) < i) return kForbidden;
  std::nth_element(values.begin(), values.begin() + (i - 1), values.end(), std::greater<>());
  return values[static_cast<size_t>(i - 1)];
}

// The estimates of one row, and the exact logits of those that have been compared.
class Refinement {
 public:
  Refinement(const kernels::RowWeights& weights, std::span<const float> x, std::span<float> logits)
      : weights_(weights),
        logits_(logits),
        data_(static_cast<size_t>(kernels::padded_depth(WeightFormat::kI8, weights.k))),
        x_{data_.data(), 1, std::ssize(data_), &scale_, &sum_},
        maxima_(static_cast<size_t>(kernels::block_count(std::ssize(logits)))) {
    kernels::quantize_rows(matrix(x.data(), int64_t{1}, std::ssize(x)), x_);
    kernels::block_maxima(logits.data(), std::ssize(logits), maxima_.data());
  }
  Refinement(const Refinement&) = delete;
  Refinement& operator=(const Refinement&) = delete;

  // The best of as many blocks are at least as many estimates.
  void compare_best(int64_t count) {
    const float best = *std::max_element(maxima_.begin(), maxima_.end());
    least_ = std::min(ith_largest(maxima_, kCompared + count), best - kDepth);
    compare(least_, std::numeric_limits<float>::infinity());
  }

  // Estimates below the best `count` exact logits by no more than their error can hide better ones.
  // `known_error`: where what has been compared may be exact already.
  float compare_uncertain(int64_t count, float known_error) {
    float squares = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const float error = exact_[i] - logits_[static_cast<size_t>(ids_[i])];
      squares += error * error;
    }
    const auto compared = static_cast<float>(std::max<size_t>(1, ids_.size()));
    const float error = std::max(known_error, std::sqrt(squares / compared));
    compare(ith_largest(exact_, count) - kDeviations * error, least_);
    return error;
  }

  void store() {
    for (size_t i = 0; i < ids_.size(); ++i) logits_[static_cast<size_t>(ids_[i])] = exact_[i];
  }

 private:
  // Those with from <= estimate < below.
  void compare(float from, float below) {
    const size_t known = ids_.size();
    for (size_t block = 0; block < maxima_.size(); ++block) {
      if (maxima_[block] < from || maxima_[block] == kForbidden) continue;
      const size_t first = block * static_cast<size_t>(kernels::kMaximaBlock);
      const size_t end = first + static_cast<size_t>(kernels::kMaximaBlock);
      for (size_t i = first; i < std::min(logits_.size(), end); ++i) {
        if (logits_[i] >= from && logits_[i] < below && logits_[i] != kForbidden) {
          ids_.push_back(static_cast<int32_t>(i));
        }
      }
    }
    exact_.resize(ids_.size());
    kernels::multiply_rows(x_, weights_, std::span(ids_).subspan(known),
                           std::span(exact_).subspan(known));
  }

  const kernels::RowWeights& weights_;
  std::span<float> logits_;
  std::vector<int8_t> data_;
  float scale_ = 0;
  int32_t sum_ = 0;
  kernels::QuantizedRows x_;
  std::vector<float> maxima_;  // Of blocks of the estimates.
  float least_ = 0;            // What compare_best went down to.
  std::vector<int32_t> ids_;
  std::vector<float> exact_;
};

}  // namespace

std::vector<StoredTensor> stored_head_tensors(const std::string& name, WeightFormat format,
                                              int64_t n, int64_t k) {
  if (format != WeightFormat::kI8) return stored_tensors(name, format, n, k);
  const StoredTensor panels = stored_tensors(name, kCoarse, n, k).front();
  return {{name + ".coarse", panels.dtype, panels.shape},
          {name + ".rows", DType::kU8, {n, kernels::row_weight_stride(k)}},
          {name + ".scales", DType::kF32, {n}}};
}

OutputHead stored_head(WeightFormat format, int64_t n, int64_t k,
                       std::span<const std::byte* const> data) {
  OutputHead head;
  head.whole.name = head.coarse.name = "output_head";
  if (format != WeightFormat::kI8) {
    head.whole.w = stored_weights(format, n, k, data);
  } else {
    head.coarse.w = stored_weights(kCoarse, n, k, data);
    head.exact = {n, k, data[1], reinterpret_cast<const float*>(data[2])};
  }
  return head;
}

void pack_head_panel(WeightFormat format, int64_t panel, MatrixView<const float> w,
                     const PackHints& hints, std::span<std::byte* const> data) {
  if (format != WeightFormat::kI8) return pack_panel(format, panel, w, hints, data);
  pack_panel(kCoarse, panel, w, hints, data.first(1));
  const int64_t first = panel * kernels::kPanelWidth;
  kernels::pack_row_weights(w, data[1] + first * kernels::row_weight_stride(w.cols),
                            reinterpret_cast<float*>(data[2]) + first);
}

void embed_token(const OutputHead& head, int64_t token, float* to) {
  if (head.two_stages()) return kernels::unpack_row(head.exact, token, to);
  const auto& w = head.whole.w;
  for (int64_t d = 0; d < w.k; ++d) to[d] = kernels::unpacked_weight(w, token, d);
}

void exact_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                  MatrixView<float> logits) {
  if (!head.two_stages()) return linear(run, head.whole, x, logits);
  const trace::Scope scope(run.trace, head.coarse.name, exact_work(head.exact, x.rows),
                           run.pool.threads());
  const auto quantized = run.scratch.quantized(WeightFormat::kI8, x.rows, x.cols);
  kernels::quantize_rows(x, quantized);
  const int64_t shares = std::min<int64_t>(head.exact.n, 8 * run.pool.threads());
  run.pool.parallel_for(shares, [&](int64_t s) {
    kernels::multiply_all_rows(quantized, head.exact, logits, head.exact.n * s / shares,
                               head.exact.n * (s + 1) / shares);
  });
}

void estimate_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                     MatrixView<float> logits) {
  linear(run, head.two_stages() ? head.coarse : head.whole, x, logits);
}

void head_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                 MatrixView<float> logits, const std::function<bool(int64_t row)>& may_estimate) {
  const auto end_of_run = [&](int64_t first) {
    int64_t end = first;
    while (end < x.rows && may_estimate(end) == may_estimate(first)) ++end;
    return end;
  };
  int64_t first = 0;
  for (int64_t row = 0; row < x.rows; ++row) {
    if (!may_estimate(row)) continue;
    estimate_logits(run, head, x, logits);
    if (!head.two_stages()) return;
    break;
  }
  for (int64_t end; first < x.rows; first = end) {
    end = end_of_run(first);
    if (may_estimate(first)) continue;
    exact_logits(run, head, x.rows_from(first, end - first), logits.rows_from(first, end - first));
  }
}

void refine_logits(const OutputHead& head, std::span<const float> x, int64_t count, float& error,
                   std::span<float> logits) {
  QT_CHECK(count >= 1);
  if (!head.two_stages()) return;
  QT_CHECK_EQ(std::ssize(logits), head.exact.n);
  QT_CHECK_EQ(std::ssize(x), head.exact.k);
  Refinement refinement(head.exact, x, logits);
  refinement.compare_best(count);
  error = refinement.compare_uncertain(count, error);
  refinement.store();
}

}  // namespace quintet::nn
