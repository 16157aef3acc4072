#include "quintet/eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace quintet::eval {
namespace {

// `count` answers of which every `every`-th is wrong.
std::vector<Ratio> answers(int count, int every) {
  std::vector<Ratio> items;
  for (int i = 0; i < count; ++i) items.push_back({i % every == 0 ? 1 : 0, 1});
  return items;
}

TEST(Bootstrap, ComesNearTheNormalIntervalForManyItems) {
  const std::vector<Ratio> items = answers(2000, 5);
  const Interval interval = bootstrap_interval(items, {});
  const double half = 1.96 * std::sqrt(0.2 * 0.8 / 2000.0);
  // The ends of 2000 resamples scatter by about 6 % of the half-width; four times that.
  EXPECT_NEAR(interval.low, 0.2 - half, 0.25 * half);
  EXPECT_NEAR(interval.high, 0.2 + half, 0.25 * half);
}

TEST(Bootstrap, GivesTheSameIntervalForTheSameSeed) {
  const std::vector<Ratio> items = answers(50, 3);
  const Interval first = bootstrap_interval(items, {}, {.resamples = 100, .seed = 5});
  const Interval again = bootstrap_interval(items, {}, {.resamples = 100, .seed = 5});
  const Interval other = bootstrap_interval(items, {}, {.resamples = 100, .seed = 6});
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_TRUE(first.low != other.low || first.high != other.high);
}

TEST(Bootstrap, IsWiderWhereItemsOfAGroupGoTogether) {
  std::vector<Ratio> items;
  std::vector<int64_t> groups;
  for (int64_t group = 0; group < 40; ++group)
    for (int i = 0; i < 10; ++i) {
      items.push_back({group % 2, 1});
      groups.push_back(group * 1000);
    }
  const Interval grouped = bootstrap_interval(items, groups);
  const Interval alone = bootstrap_interval(items, {});
  EXPECT_GT(grouped.high - grouped.low, 2.0 * (alone.high - alone.low));
}

TEST(Bootstrap, SeesASmallDifferenceThatIsAlwaysThere) {
  // b is wrong wherever a is, and once more in every group: separate intervals would overlap.
  std::vector<Ratio> a;
  std::vector<Ratio> b;
  for (int i = 0; i < 200; ++i) {
    a.push_back({i % 20, 100});
    b.push_back({i % 20 + 1, 100});
  }
  const Interval difference = bootstrap_difference(a, b, {});
  EXPECT_NEAR(difference.low, 0.01, 1e-12);
  EXPECT_NEAR(difference.high, 0.01, 1e-12);
}

TEST(Bootstrap, HasNoWidthWithoutItemsToChooseFrom) {
  EXPECT_EQ(bootstrap_interval({}, {}).high, 0.0);
  const std::vector<Ratio> one = {{1, 4}};
  EXPECT_EQ(bootstrap_interval(one, {}).low, 0.25);
  EXPECT_EQ(bootstrap_interval(one, {}).high, 0.25);
}

}  // namespace
}  // namespace quintet::eval
