#include "quintet/engine/speech/stationarity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace quintet::speech {
namespace {

TEST(Stationarity, ConstantLevelsHaveNoModulation) {
  const std::vector<float> mel(200 * 80, 0.5f);
  EXPECT_NEAR(modulation_db({mel.data(), 200, 80, 80}), 0, 1e-4);
}

TEST(Stationarity, ALevelThatSwitchesHasHalfItsRange) {
  std::vector<float> mel(200 * 4);
  // 100 ms at 0, 100 ms at 0.5 units of 40 dB: a deviation of 10 dB.
  for (size_t t = 0; t < 200; ++t) {
    for (size_t f = 0; f < 4; ++f) mel[t * 4 + f] = t / 10 % 2 == 0 ? 0.0f : 0.5f;
  }
  EXPECT_NEAR(modulation_db({mel.data(), 200, 4, 4}), 10, 1e-3);
}

TEST(Stationarity, LessThanASecondTellsNothing) {
  const std::vector<float> mel(99 * 4, 0.5f);
  EXPECT_TRUE(std::isinf(modulation_db({mel.data(), 99, 4, 4})));
}

}  // namespace
}  // namespace quintet::speech
