#include "quintet/eval/timing.h"

#include <algorithm>

#include "quintet/core/check.h"

namespace quintet::eval {

double median(std::vector<double> values) {
  QT_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double relative_spread(std::vector<double> values) {
  QT_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t last = values.size() - 1;
  return (values[last * 3 / 4] - values[last / 4]) / median(values);
}

Result<void> interleave(size_t settings, int rounds,
                        const std::function<Result<void>(size_t, int)>& run) {
  for (int round = -1; round < rounds; ++round) {
    for (size_t setting = 0; setting < settings; ++setting) QT_TRY_VOID(run(setting, round));
  }
  return {};
}

}  // namespace quintet::eval
