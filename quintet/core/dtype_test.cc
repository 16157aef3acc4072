#include "quintet/core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace quintet {
namespace {

TEST(Dtype, EveryFiniteHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f16_from_f32(value))));
    } else {
      EXPECT_EQ(f16_from_f32(value), half) << value;
    }
  }
}

TEST(Dtype, HalfRoundsToNearestEvenAndOverflowsToInfinity) {
  EXPECT_EQ(f16_from_f32(65504.0f), 0x7bff);
  EXPECT_EQ(f16_from_f32(65519.9f), 0x7bff);
  EXPECT_EQ(f16_from_f32(65520.0f), 0x7c00);
  EXPECT_EQ(f16_from_f32(1.0f + 0x1p-11f), 0x3c00);      // Half way: to even.
  EXPECT_EQ(f16_from_f32(1.0f + 3 * 0x1p-11f), 0x3c02);  // Half way: to even, upwards.
  EXPECT_EQ(f16_from_f32(0x1p-25f), 0x0000);             // Half of the smallest: to even.
  EXPECT_EQ(f16_from_f32(0x1.8p-25f), 0x0001);
}

TEST(Dtype, Bf16RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(bf16_from_f32(1.0f).bits, 0x3f80);
  EXPECT_EQ(bf16_from_f32(1.0f + 0x1p-8f).bits, 0x3f80);
  EXPECT_EQ(bf16_from_f32(1.0f + 3 * 0x1p-8f).bits, 0x3f82);
  EXPECT_TRUE(std::isnan(bf16_to_f32(bf16_from_f32(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isinf(bf16_to_f32(bf16_from_f32(std::numeric_limits<float>::infinity()))));
}

}  // namespace
}  // namespace quintet
