#include "quintet/core/tensor.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

namespace quintet {
namespace {

TEST(Shape, PrintsAsAListOfDimensions) {
  EXPECT_EQ(shape_string({512, 80, 3}), "[512, 80, 3]");
  EXPECT_EQ(shape_string({}), "[]");
}

TEST(Shape, CountIsTheProductAndOneForAScalar) {
  EXPECT_EQ(element_count({512, 80, 3}), 122880);
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({5, 0, 7}), 0);
}

TEST(Shape, CountRefusesNegativeDimensionsAndOverflow) {
  EXPECT_EQ(element_count({4, -1}), -1);
  EXPECT_EQ(element_count({0, -1}), -1);
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(element_count({kLargest}), kLargest);
  EXPECT_EQ(element_count({kLargest, 2}), -1);
  EXPECT_EQ(element_count({int64_t{1} << 32, int64_t{1} << 31}), -1);
  EXPECT_EQ(element_count({int64_t{1} << 31, int64_t{1} << 31}), int64_t{1} << 62);
}

TEST(MatrixView, RowsAreOneStrideApart) {
  std::array<int, 12> data{};
  const MatrixView<int> m{data.data(), 3, 2, 4};
  m.row(2)[1] = 7;
  EXPECT_EQ(data[9], 7);
  const MatrixView<int> lower = m.rows_from(1, 2);
  EXPECT_EQ(lower.rows, 2);
  EXPECT_EQ(lower.row(1)[1], 7);
}

TEST(MatrixView, RowsMayOverlapForReading) {
  const std::array<int, 6> samples = {0, 1, 2, 3, 4, 5};
  const MatrixView<const int> windows{samples.data(), 4, 3, 1};
  EXPECT_EQ(windows.row(3)[2], 5);
}

TEST(MatrixView, OfMutableDataReadsAsOneOfConstantData) {
  std::array<int, 4> data = {1, 2, 3, 4};
  const MatrixView<const int> read = matrix(data.data(), 2, 2);
  EXPECT_EQ(read.row(1)[0], 3);
  EXPECT_EQ(read.stride, 2);
}

}  // namespace
}  // namespace quintet
