#include "quintet/eval/timing.h"

#include <gtest/gtest.h>

#include <utility>

namespace quintet::eval {
namespace {

TEST(Timing, MedianIsTheMiddleOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

TEST(Timing, SpreadIgnoresOutliers) {
  EXPECT_EQ(relative_spread({10, 10, 10, 10, 1000}), 0);
  EXPECT_DOUBLE_EQ(relative_spread({8, 9, 10, 11, 12}), 0.2);
}

TEST(Timing, SettingsTakeTurnsAfterAWarmUpRound) {
  std::vector<std::pair<size_t, int>> calls;
  ASSERT_TRUE(interleave(2, 2, [&](size_t setting, int round) -> Result<void> {
    calls.emplace_back(setting, round);
    return {};
  }));
  const std::vector<std::pair<size_t, int>> expected = {{0, -1}, {1, -1}, {0, 0},
                                                        {1, 0},  {0, 1},  {1, 1}};
  EXPECT_EQ(calls, expected);
}

TEST(Timing, TheFirstErrorStopsEverything) {
  int calls = 0;
  const auto result = interleave(3, 5, [&](size_t setting, int) -> Result<void> {
    ++calls;
    if (setting == 1) return Error(Code::kIo, "gone");
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "gone");
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace quintet::eval
