#include "quintet/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <unordered_map>
#include <vector>

#include "quintet/core/check.h"

namespace quintet::eval {
namespace {

// The sums of each group for each system, groups in order of appearance.
struct Pair {
  Ratio a;
  Ratio b;
};

std::vector<Pair> sums_by_group(std::span<const Ratio> a, std::span<const Ratio> b,
                                std::span<const int64_t> groups) {
  QT_CHECK_EQ(a.size(), b.size());
  QT_CHECK(groups.empty() || groups.size() == a.size());
  std::vector<Pair> sums;
  std::unordered_map<int64_t, size_t> index;
  for (size_t i = 0; i < a.size(); ++i) {
    const size_t at = groups.empty() ? i : index.try_emplace(groups[i], sums.size()).first->second;
    if (at == sums.size()) sums.emplace_back();
    sums[at].a += a[i];
    sums[at].b += b[i];
  }
  return sums;
}

// std::uniform_int_distribution gives other numbers with other libraries.
size_t draw(std::mt19937_64& random, size_t count) {
  const auto wide = static_cast<unsigned __int128>(random()) * count;
  return static_cast<size_t>(wide >> 64);
}

// The value below which the share `p` of `sorted` lies, interpolated.
double quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const double below = std::floor(position);
  const auto i = static_cast<size_t>(below);
  if (i + 1 >= sorted.size()) return sorted.back();
  return sorted[i] + (position - below) * (sorted[i + 1] - sorted[i]);
}

template <typename Value>
Interval bootstrap(const std::vector<Pair>& groups, const BootstrapOptions& options, Value value) {
  QT_CHECK(options.resamples >= 1);
  QT_CHECK(options.confidence > 0.0 && options.confidence < 1.0);
  if (groups.empty()) return {};
  std::mt19937_64 random(options.seed);
  std::vector<double> values;
  values.reserve(static_cast<size_t>(options.resamples));
  for (int resample = 0; resample < options.resamples; ++resample) {
    Pair total;
    for (size_t i = 0; i < groups.size(); ++i) {
      const Pair& group = groups[draw(random, groups.size())];
      total.a += group.a;
      total.b += group.b;
    }
    values.push_back(value(total));
  }
  std::sort(values.begin(), values.end());
  const double tail = (1.0 - options.confidence) / 2.0;
  return {quantile(values, tail), quantile(values, 1.0 - tail)};
}

}  // namespace

Interval bootstrap_interval(std::span<const Ratio> items, std::span<const int64_t> groups,
                            const BootstrapOptions& options) {
  return bootstrap(sums_by_group(items, items, groups), options,
                   [](const Pair& total) { return total.a.rate(); });
}

Interval bootstrap_difference(std::span<const Ratio> a, std::span<const Ratio> b,
                              std::span<const int64_t> groups, const BootstrapOptions& options) {
  return bootstrap(sums_by_group(a, b, groups), options,
                   [](const Pair& total) { return total.b.rate() - total.a.rate(); });
}

}  // namespace quintet::eval
