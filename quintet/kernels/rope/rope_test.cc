#include "quintet/kernels/rope/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/level_test.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

class RotateHalf : public LevelTest {};

INSTANTIATE_TEST_SUITE_P(Levels, RotateHalf, testing::ValuesIn(kAllIsas), level_name);

TEST_P(RotateHalf, TurnsEveryPairByItsAngle) {
  for (const int64_t half : {1, 3, 8, 20, 32, 64, 100}) {
    GuardedArray<float> x{std::span<const float>(random_floats(2 * half, 1.0f, 1))};
    const std::vector<float> angles = random_floats(half, 3.0f, 2);
    std::vector<float> cosines;
    std::vector<float> sines;
    std::vector<double> expected(static_cast<size_t>(2 * half));
    for (int64_t i = 0; i < half; ++i) {
      const float angle = angles[static_cast<size_t>(i)];
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
      const std::pair<double, double> pair = {x[i], x[i + half]};
      const std::pair<double, double> turn = {cosines.back(), sines.back()};
      expected[static_cast<size_t>(i)] = pair.first * turn.first - pair.second * turn.second;
      expected[static_cast<size_t>(i + half)] = pair.second * turn.first + pair.first * turn.second;
    }
    rotate_half(x.data(), cosines.data(), sines.data(), half);
    for (int64_t i = 0; i < 2 * half; ++i) {
      EXPECT_NEAR(static_cast<double>(x[i]), expected[static_cast<size_t>(i)], 4 * 0x1p-24 * 5)
          << half << " " << i;
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
