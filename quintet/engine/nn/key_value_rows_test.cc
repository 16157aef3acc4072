#include "quintet/engine/nn/key_value_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace quintet::nn {
namespace {

TEST(KeyValueRows, RowsDoNotOverlapAndStayWhereTheyAreWhileOthersAreTaken) {
  constexpr int64_t kLayers = 3;
  constexpr int64_t kWidth = 20;
  constexpr int kRows = 200;
  KeyValueRows rows(kLayers, kWidth);
  const auto fill = [&](int32_t row, float with) {
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      std::fill_n(rows.key(layer, row), kWidth, with + static_cast<float>(layer));
      std::fill_n(rows.value(layer, row), kWidth, -with - static_cast<float>(layer));
    }
  };
  std::vector<int32_t> taken;
  for (int i = 0; i < kRows; ++i) {
    taken.push_back(rows.take());
    fill(taken.back(), static_cast<float>(10 * i));
  }
  EXPECT_EQ(std::set<int32_t>(taken.begin(), taken.end()).size(), size_t{kRows});
  for (int i = 0; i < kRows; ++i) {
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      const float expected = static_cast<float>(10 * i) + static_cast<float>(layer);
      for (int64_t d = 0; d < kWidth; ++d) {
        ASSERT_EQ(rows.key(layer, taken[static_cast<size_t>(i)])[d], expected);
        ASSERT_EQ(rows.value(layer, taken[static_cast<size_t>(i)])[d], -expected);
      }
    }
  }
}

TEST(KeyValueRows, ARowComesBackOnlyWhenAllItsOwnersHaveDroppedIt) {
  KeyValueRows rows(1, 4);
  const int32_t row = rows.take();
  rows.share(row);
  rows.drop(row);
  EXPECT_EQ(rows.rows_in_use(), 1);
  EXPECT_NE(rows.take(), row);
  rows.drop(row);
  EXPECT_EQ(rows.rows_in_use(), 1);
  EXPECT_EQ(rows.take(), row);
}

TEST(KeyValueRows, TakingAndDroppingForEverNeedsNoMoreMemoryThanOnce) {
  KeyValueRows rows(2, 8);
  EXPECT_EQ(rows.bytes(), 0u);
  size_t once = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<int32_t> taken;
    for (int i = 0; i < 100; ++i) taken.push_back(rows.take());
    for (const int32_t row : taken) rows.drop(row);
    if (round == 0) once = rows.bytes();
  }
  EXPECT_GT(once, 0u);
  EXPECT_EQ(rows.bytes(), once);
  EXPECT_EQ(rows.rows_in_use(), 0);
}

}  // namespace
}  // namespace quintet::nn
