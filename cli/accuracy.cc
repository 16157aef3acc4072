#include "cli/accuracy.h"

#include <cstdio>
#include <string>

namespace quintet::cli {

void print_check(std::string_view precision, const AccuracyCheck& check) {
  const std::string name(precision);
  std::printf("  accuracy of %s against fp32, checked %s on %s: %lld items, %lld words\n",
              name.c_str(), check.date.c_str(), check.data.c_str(),
              static_cast<long long>(check.items), static_cast<long long>(check.words));
  const auto rate = [](const char* what, const MeasuredRate& r) {
    std::printf("    %-12s %6.2f %% (95 %% interval %.2f to %.2f)\n", what, r.value, r.low, r.high);
  };
  rate("fp32", check.original);
  rate(name.c_str(), check.compressed);
  std::printf("    %-12s %+6.2f points (%.2f to %.2f), at most %g allowed: %s\n", "difference",
              check.difference.value, check.difference.low, check.difference.high, check.max_drop,
              check.passed() ? "passed" : "failed");
  std::printf("    %-12s %6.2f %% of the words that fp32 gives\n", "agreement", check.agreement);
}

}  // namespace quintet::cli
