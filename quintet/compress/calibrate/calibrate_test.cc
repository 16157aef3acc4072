#include "quintet/compress/calibrate/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quintet::compress {
namespace {

TEST(NoiseThreshold, SeparatesTheLayersThatAreNoisierThanTheOthers) {
  std::map<std::string, double> snr;
  for (int i = 0; i < 50; ++i) snr["layer" + std::to_string(i)] = 35 + 0.1 * i;
  const double quiet = noise_threshold(snr);
  EXPECT_LT(quiet, 35);
  snr["bad"] = 18;
  snr["worse"] = 12;
  const double threshold = noise_threshold(snr);
  EXPECT_GT(threshold, 18);
  // The outliers themselves hardly move it.
  EXPECT_NEAR(threshold, quiet, 1);
}

TEST(NoiseThreshold, OfEqualLayersIsTheirValue) {
  EXPECT_EQ(noise_threshold({{"a", 30}, {"b", 30}, {"c", 30}}), 30);
}

TEST(NoiseThreshold, IsNeverWhereATenthOfThePowerIsNoise) {
  EXPECT_EQ(noise_threshold({}), kLeastSnr);
  EXPECT_EQ(noise_threshold({{"a", 2}, {"b", 5}, {"c", 40}}), kLeastSnr);
}

TEST(NoiseThresholds, RiseUntilAQuarterOfTheLayersIsLeft) {
  std::map<std::string, double> snr;
  for (int i = 0; i < 8; ++i) snr["layer" + std::to_string(i)] = 30 + i;
  EXPECT_THAT(noise_thresholds(snr), ::testing::ElementsAre(noise_threshold(snr), 32, 34, 36));
}

TEST(NoiseThresholds, ThatLeaveTheSameLayersAreTriedOnce) {
  // Below 10 dB is what is below 12 dB too.
  EXPECT_THAT(noise_thresholds({{"a", 2}, {"b", 12}, {"c", 12}, {"d", 40}}),
              ::testing::ElementsAre(kLeastSnr, 40));
  EXPECT_THAT(noise_thresholds({{"a", 30}, {"b", 30}, {"c", 30}, {"d", 30}}),
              ::testing::ElementsAre(30));
  EXPECT_THAT(noise_thresholds({}), ::testing::ElementsAre(kLeastSnr));
}

}  // namespace
}  // namespace quintet::compress
