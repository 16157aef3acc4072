#include "quintet/eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "quintet/kernels/softmax/softmax.h"

namespace quintet::eval {
namespace {

// Sums over the tokens of one window.
struct WindowSum {
  double first = 0;   // Of -log p.
  double second = 0;  // The same of the second model.
  double divergence = 0;
  int64_t same_top = 0;
  int64_t tokens = 0;
};

double negative_log_prob(std::span<const float> logits, int32_t token) {
  return static_cast<double>(kernels::log_sum_exp(logits.data(), std::ssize(logits))) -
         static_cast<double>(logits[static_cast<size_t>(token)]);
}

double divergence_of(std::span<const float> a, std::span<const float> b) {
  const double norm_a = static_cast<double>(kernels::log_sum_exp(a.data(), std::ssize(a)));
  const double norm_b = static_cast<double>(kernels::log_sum_exp(b.data(), std::ssize(b)));
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double log_a = static_cast<double>(a[i]) - norm_a;
    sum += std::exp(log_a) * (log_a - (static_cast<double>(b[i]) - norm_b));
  }
  return sum;
}

// Percentile bootstrap over windows of a ratio of sums.
template <typename Numerator>
Interval interval_of(const std::vector<WindowSum>& windows, Numerator numerator) {
  constexpr int kResamples = 2000;
  std::mt19937_64 engine(1);
  std::vector<double> values;
  for (int r = 0; r < kResamples; ++r) {
    double sum = 0;
    double tokens = 0;
    for (size_t i = 0; i < windows.size(); ++i) {
      const WindowSum& w = windows[engine() % windows.size()];
      sum += numerator(w);
      tokens += static_cast<double>(w.tokens);
    }
    values.push_back(sum / tokens);
  }
  std::sort(values.begin(), values.end());
  return {values[static_cast<size_t>(0.025 * kResamples)],
          values[static_cast<size_t>(0.975 * kResamples)]};
}

template <typename Numerator>
Perplexity perplexity_of(const std::vector<WindowSum>& windows, Numerator numerator) {
  Perplexity result;
  double sum = 0;
  for (const WindowSum& w : windows) {
    sum += numerator(w);
    result.tokens += w.tokens;
  }
  result.windows = std::ssize(windows);
  result.value = std::exp(sum / static_cast<double>(result.tokens));
  const Interval logs = interval_of(windows, numerator);
  result.interval = {std::exp(logs.low), std::exp(logs.high)};
  return result;
}

// The logits of the first model are kept while the second runs.
Result<WindowSum> score_window(const TextModel& model, const TextModel* second,
                               std::span<const int32_t> tokens, int64_t skipped) {
  WindowSum sum;
  std::vector<float> kept;
  const auto inputs = tokens.first(tokens.size() - 1);
  const auto next = [&](int64_t position) { return tokens[static_cast<size_t>(position) + 1]; };
  QT_TRY_VOID(model.run(inputs, skipped, [&](int64_t position, std::span<float> logits) {
    sum.first += negative_log_prob(logits, next(position));
    ++sum.tokens;
    if (second != nullptr) kept.insert(kept.end(), logits.begin(), logits.end());
  }));
  if (second == nullptr) return sum;
  size_t at = 0;
  QT_TRY_VOID(second->run(inputs, skipped, [&](int64_t position, std::span<float> logits) {
    const std::span<const float> before = std::span(kept).subspan(at, logits.size());
    at += logits.size();
    sum.second += negative_log_prob(logits, next(position));
    sum.divergence += divergence_of(before, logits);
    const auto top = [](std::span<const float> x) {
      return kernels::argmax(x.data(), std::ssize(x));
    };
    sum.same_top += top(before) == top(logits) ? 1 : 0;
  }));
  return sum;
}

Agreement agreement_of(const std::vector<WindowSum>& windows) {
  Agreement result;
  result.perplexity = perplexity_of(windows, [](const WindowSum& w) { return w.second; });
  result.difference = interval_of(windows, [](const WindowSum& w) { return w.second - w.first; });
  int64_t same = 0;
  for (const WindowSum& w : windows) {
    result.divergence += w.divergence;
    same += w.same_top;
  }
  const auto tokens = static_cast<double>(result.perplexity.tokens);
  result.divergence /= tokens;
  result.top1 = static_cast<double>(same) / tokens;
  return result;
}

}  // namespace

Result<TextScore> score_text(const TextModel& model, const TextModel* second,
                             std::span<const int32_t> tokens, const PerplexityOptions& options,
                             const std::function<void(int64_t, int64_t)>& progress) {
  if (second != nullptr && second->vocabulary() != model.vocabulary()) {
    return Error(Code::kInvalidArgument, "the models have vocabularies of " +
                                             std::to_string(model.vocabulary()) + " and " +
                                             std::to_string(second->vocabulary()) + " tokens");
  }
  if (options.window < 2 || options.skipped < 0 || options.skipped > options.window - 2) {
    return Error(Code::kInvalidArgument, "a window of " + std::to_string(options.window) +
                                             " tokens cannot skip " +
                                             std::to_string(options.skipped));
  }
  int64_t count = std::ssize(tokens) / options.window;
  if (options.max_windows > 0) count = std::min(count, options.max_windows);
  if (count == 0) {
    return Error(Code::kInvalidArgument, "the text has " + std::to_string(tokens.size()) +
                                             " tokens, a window is " +
                                             std::to_string(options.window));
  }
  QT_TRY(const std::vector<int32_t> around, model.encode(""));
  std::vector<WindowSum> windows;
  for (int64_t w = 0; w < count; ++w) {
    if (progress) progress(w, count);
    const auto window = tokens.subspan(static_cast<size_t>(w * options.window),
                                       static_cast<size_t>(options.window));
    std::vector<int32_t> read(window.begin(), window.end());
    if (!around.empty()) read.front() = around.front();
    QT_TRY(const WindowSum sum, score_window(model, second, read, options.skipped));
    windows.push_back(sum);
  }
  TextScore score;
  score.perplexity = perplexity_of(windows, [](const WindowSum& w) { return w.first; });
  if (second != nullptr) score.agreement = agreement_of(windows);
  return score;
}

}  // namespace quintet::eval
