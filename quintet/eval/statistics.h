// How sure a measured rate is.
#pragma once

#include <cstdint>
#include <span>

#include "quintet/eval/metrics.h"

namespace quintet::eval {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

struct BootstrapOptions {
  int resamples = 2000;      // REQUIRES: >= 1.
  double confidence = 0.95;  // REQUIRES: between 0 and 1.
  uint64_t seed = 1;         // The same seed and items give the same interval, on every machine.
};

// Percentile bootstrap interval of sum(items).rate(). Groups are drawn, not items: items of one
// picture or recording are not independent. `groups[i]` is the group of items[i], any numbers;
// empty: each item is its own.
// No items give [0, 0]; one group gives an interval without width, which says nothing.
// REQUIRES: groups is empty or as long as items.
// Cost: O(resamples * groups).
// Source: Efron and Tibshirani 1993, chapters 6 and 13.
Interval bootstrap_interval(std::span<const Ratio> items, std::span<const int64_t> groups,
                            const BootstrapOptions& options = {});

// The same for the difference b - a of two systems on the same items. Each resample draws the same
// groups for both, so that what is hard for both cancels out.
// REQUIRES: a and b are equally long.
Interval bootstrap_difference(std::span<const Ratio> a, std::span<const Ratio> b,
                              std::span<const int64_t> groups,
                              const BootstrapOptions& options = {});

}  // namespace quintet::eval
