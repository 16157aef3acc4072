// The timing protocol: settings take turns, so that what else the machine does falls on all of
// them.
#pragma once

#include <functional>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::eval {

// Median; the mean of the middle two of an even number. REQUIRES: not empty.
double median(std::vector<double> values);

// (75th - 25th percentile) / median. REQUIRES: not empty.
double relative_spread(std::vector<double> values);

// Calls run(setting, round) for every setting in turn, rounds times over; round -1 comes first and
// is the warm-up. Stops at the first error.
Result<void> interleave(size_t settings, int rounds,
                        const std::function<Result<void>(size_t setting, int round)>& run);

}  // namespace quintet::eval
