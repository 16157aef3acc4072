#include "quintet/engine/nn/key_value_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace quintet::nn {
namespace {

constexpr int64_t kLayers = 3;
constexpr int64_t kHeads = 2;
constexpr int64_t kDim = 20;

TEST(KeyValueRows, RowsDoNotOverlapAndStayWhereTheyAreWhileOthersAreTaken) {
  constexpr int kRows = 400;
  KeyValueRows rows(kLayers, kHeads, kDim);
  const auto each_part = [&](int32_t row, auto body) {
    float number = 0;
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      for (int64_t head = 0; head < kHeads; ++head) {
        body(rows.key(layer, row, head), number++);
        body(rows.value(layer, row, head), number++);
      }
    }
  };
  std::vector<int32_t> taken;
  for (int i = 0; i < kRows; ++i) {
    // Two sequences in turns, and a new one now and then.
    taken.push_back(
        rows.take(i < 2 || i % 50 == 0 ? KeyValueRows::kNone : taken[taken.size() - 2]));
    each_part(taken.back(), [&](float* part, float number) {
      std::fill_n(part, kDim, static_cast<float>(100 * i) + number);
    });
  }
  EXPECT_EQ(std::set<int32_t>(taken.begin(), taken.end()).size(), size_t{kRows});
  for (int i = 0; i < kRows; ++i) {
    each_part(taken[static_cast<size_t>(i)], [&](const float* part, float number) {
      for (int64_t d = 0; d < kDim; ++d) {
        ASSERT_EQ(part[d], static_cast<float>(100 * i) + number);
      }
    });
  }
}

TEST(KeyValueRows, SequencesThatGrowInTurnsLieInRunsOfTheirOwn) {
  KeyValueRows rows(1, 1, kDim);
  std::vector<int32_t> a = {rows.take(KeyValueRows::kNone)};
  std::vector<int32_t> b = {rows.take(KeyValueRows::kNone)};
  for (int i = 1; i < 32; ++i) {
    a.push_back(rows.take(a.back()));
    b.push_back(rows.take(b.back()));
  }
  for (const auto& sequence : {a, b}) {
    for (size_t i = 1; i < sequence.size(); ++i) {
      if (i == 16) continue;  // A run ends.
      EXPECT_EQ(rows.key(0, sequence[i], 0), rows.key(0, sequence[i - 1], 0) + kDim);
    }
  }
}

TEST(KeyValueRows, ARowComesBackOnlyWhenAllItsOwnersHaveDroppedIt) {
  KeyValueRows rows(1, 1, kDim);
  const int32_t first = rows.take(KeyValueRows::kNone);
  const int32_t row = rows.take(first);
  rows.share(row);
  rows.drop(row);
  EXPECT_EQ(rows.rows_in_use(), 2);
  EXPECT_NE(rows.take(first), row);
  rows.drop(row);
  EXPECT_EQ(rows.rows_in_use(), 2);
  EXPECT_EQ(rows.take(first), row);
}

TEST(KeyValueRows, MemoryGrowsOnlyWhenEveryRowIsInUse) {
  KeyValueRows rows(2, 1, kDim);
  EXPECT_EQ(rows.bytes(), 0u);
  // One row to a run, as sequences that were forked and given up leave them.
  int32_t last = rows.take(KeyValueRows::kNone);
  const size_t block = rows.bytes();
  std::vector<int32_t> taken = {last};
  while (rows.bytes() == block) taken.push_back(rows.take(KeyValueRows::kNone));
  for (size_t i = 1; i < taken.size(); ++i) rows.drop(taken[i]);
  EXPECT_EQ(taken.size() - 1, block / (2 * 2 * kDim * sizeof(float)));
}

TEST(KeyValueRows, TakingAndDroppingForEverNeedsNoMoreMemoryThanOnce) {
  KeyValueRows rows(2, 1, kDim);
  size_t once = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<int32_t> taken;
    for (int i = 0; i < 200; ++i) {
      taken.push_back(rows.take(i % 7 == 0 ? KeyValueRows::kNone : taken.back()));
    }
    for (const int32_t row : taken) rows.drop(row);
    if (round == 0) once = rows.bytes();
  }
  EXPECT_GT(once, 0u);
  EXPECT_EQ(rows.bytes(), once);
  EXPECT_EQ(rows.rows_in_use(), 0);
}

}  // namespace
}  // namespace quintet::nn
