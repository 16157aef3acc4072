#include "quintet/kernels/activation/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/level_test.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

class Gelu : public LevelTest {};

INSTANTIATE_TEST_SUITE_P(Levels, Gelu, testing::ValuesIn(kAllIsas), level_name);

double gelu_ref(double x) { return x * 0.5 * std::erfc(-x / std::numbers::sqrt2); }

TEST_P(Gelu, StaysWithinAMillionthOfTheDefinition) {
  std::vector<float> x;
  for (int i = -120000; i <= 120000; ++i) x.push_back(static_cast<float>(i) * 1e-4f);
  for (float v = 1e-38f; v < 1e38f; v *= 1.37f) {
    x.push_back(v);
    x.push_back(-v);
  }
  std::vector<float> y = x;
  gelu(y.data(), static_cast<int64_t>(y.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(x[i]);
    ASSERT_NEAR(static_cast<double>(y[i]), gelu_ref(v), 1e-6 * std::max(1.0, std::fabs(v))) << v;
  }
}

TEST_P(Gelu, LargeValuesComeOutExactly) {
  std::vector<float> x = {6, 100, 3e38f, -6, -100, -3e38f};
  gelu(x.data(), 6);
  EXPECT_EQ(x, (std::vector<float>{6, 100, 3e38f, 0, 0, 0}));
}

TEST_P(Gelu, KeepsZeroInfinityAndNan) {
  std::vector<float> x(11, 0.0f);
  x[0] = std::numeric_limits<float>::infinity();
  x[1] = -x[0];
  x[2] = x[10] = std::numeric_limits<float>::quiet_NaN();
  gelu(x.data(), 11);
  EXPECT_EQ(x[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(x[1], 0.0f);
  EXPECT_TRUE(std::isnan(x[2]) && std::isnan(x[10]));
  for (int i = 3; i < 10; ++i) EXPECT_EQ(x[static_cast<size_t>(i)], 0.0f);
}

TEST_P(Gelu, ValueDoesNotDependOnItsPlaceNorReachPastTheEnd) {
  for (int64_t n = 1; n <= 40; ++n) {
    GuardedArray<float> x(n);
    for (float& v : x) v = 0.7f;
    gelu(x.data(), n);
    float alone = 0.7f;
    gelu(&alone, 1);
    for (const float v : x) ASSERT_EQ(v, alone) << n;
  }
}

}  // namespace
}  // namespace quintet::kernels
