#include "quintet/core/aligned.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace quintet {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

TEST(AlignedBytes, StartAtTheirBoundaryAndAreZero) {
  for (const size_t bytes :
       {size_t{1}, size_t{63}, size_t{64}, size_t{4097}, kHugePage - 1, kHugePage, kHugePage + 1}) {
    AlignedBytes block(bytes);
    const size_t boundary = bytes >= kHugePage ? kHugePage : kAlignment;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % boundary, 0u) << bytes;
    EXPECT_EQ(block.size(), bytes);
    EXPECT_TRUE(std::all_of(block.data(), block.data() + bytes, [](std::byte b) {
      return b == std::byte{0};
    })) << bytes;
  }
}

TEST(AlignedBytes, OfNoBytesHoldNothing) {
  const AlignedBytes block(0);
  EXPECT_EQ(block.size(), 0u);
  EXPECT_EQ(block.data(), nullptr);
}

TEST(AlignedBytes, TooManyToRoundUpThrow) {
  EXPECT_THROW(AlignedBytes(std::numeric_limits<size_t>::max() - 5), std::bad_alloc);
}

TEST(AlignedBytes, MovedFromHoldNothing) {
  AlignedBytes from(100);
  const std::byte* data = from.data();
  const AlignedBytes to = std::move(from);
  EXPECT_EQ(to.data(), data);
  EXPECT_EQ(to.size(), 100u);
  EXPECT_EQ(from.data(), nullptr);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(from.size(), 0u);
}

TEST(AlignedArray, CountsElementsNotBytes) {
  AlignedArray<int32_t> array(10);
  array[9] = 3;
  EXPECT_EQ(array.size(), 10);
  EXPECT_EQ(array.span().size(), 10u);
  EXPECT_EQ(array.span().back(), 3);
}

TEST(AlignedArray, MovedFromHoldsNothing) {
  AlignedArray<float> from(8);
  const AlignedArray<float> to = std::move(from);
  EXPECT_EQ(to.size(), 8);
  EXPECT_EQ(from.size(), 0);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(from.span().empty());
}

}  // namespace
}  // namespace quintet
