#include "quintet/kernels/activation/gated.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/level_test.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

class Gated : public LevelTest {};

INSTANTIATE_TEST_SUITE_P(Levels, Gated, testing::ValuesIn(kAllIsas), level_name);

double silu_ref(double x) { return x / (1 + std::exp(-x)); }
double gelu_tanh_ref(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

using Kernel = void (*)(float*, const float*, int64_t);

void expect_definition(Kernel kernel, double (*reference)(double), double absolute) {
  std::vector<float> x;
  for (int i = -20000; i <= 20000; ++i) x.push_back(static_cast<float>(i) * 5e-3f);
  const std::vector<float> up = random_floats(std::ssize(x), 1.0f, 3);
  std::vector<float> y = x;
  kernel(y.data(), up.data(), std::ssize(y));
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = reference(static_cast<double>(x[i])) * static_cast<double>(up[i]);
    ASSERT_NEAR(static_cast<double>(y[i]), expected, 2e-6 * std::abs(expected) + absolute) << x[i];
  }
}

TEST_P(Gated, SiluStaysNearItsDefinition) { expect_definition(silu_multiply, silu_ref, 1e-30); }

// 1 + tanh loses all digits to rounding where it is small, in the reference too.
TEST_P(Gated, GeluStaysNearItsDefinition) {
  expect_definition(gelu_tanh_multiply, gelu_tanh_ref, 1e-7);
}

TEST_P(Gated, ValueDoesNotDependOnItsPlaceNorReachPastTheEnd) {
  for (const Kernel kernel : {silu_multiply, gelu_tanh_multiply}) {
    float alone = 0.7f;
    const float factor = 1.3f;
    kernel(&alone, &factor, 1);
    for (int64_t n = 1; n <= 40; ++n) {
      GuardedArray<float> x(n);
      GuardedArray<float> up(n);
      for (float& v : x) v = 0.7f;
      for (float& v : up) v = factor;
      kernel(x.data(), up.data(), n);
      for (const float v : x) ASSERT_EQ(v, alone) << n;
    }
  }
}

TEST_P(Gated, NanStaysNan) {
  for (const Kernel kernel : {silu_multiply, gelu_tanh_multiply}) {
    float x = std::nanf("");
    const float up = 1;
    kernel(&x, &up, 1);
    EXPECT_TRUE(std::isnan(x));
  }
}

}  // namespace
}  // namespace quintet::kernels
