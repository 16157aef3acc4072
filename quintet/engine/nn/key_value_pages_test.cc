#include "quintet/engine/nn/key_value_pages.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::nn {
namespace {

using kernels::random_floats;
using kernels::WeightFormat;

constexpr int64_t kLayers = 2;
constexpr int64_t kHeads = 3;
constexpr int64_t kDim = 20;

KeyValuePages make_pages(WeightFormat format, int64_t pages) {
  const KeyValueShape shape = {format, kLayers, kHeads, kDim};
  const size_t bytes = KeyValuePages(shape, 0).page_bytes();
  return {shape, bytes * static_cast<size_t>(pages)};
}

class BothFormats : public testing::TestWithParam<WeightFormat> {};
INSTANTIATE_TEST_SUITE_P(Formats, BothFormats,
                         testing::Values(WeightFormat::kF32, WeightFormat::kBF16),
                         [](const auto& test) {
                           return test.param == WeightFormat::kF32 ? "f32" : "bf16";
                         });

TEST(KeyValuePages, GivesNoMoreThanItsBytesAllow) {
  KeyValuePages cache = make_pages(WeightFormat::kF32, 3);
  std::set<int32_t> taken;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.free_pages(), 3 - i);
    taken.insert(cache.take().value());
  }
  EXPECT_EQ(taken.size(), 3u);
  EXPECT_FALSE(cache.take());
  EXPECT_EQ(cache.bytes(), 3 * cache.page_bytes());
  cache.drop(1);
  EXPECT_EQ(cache.take(), 1);
  EXPECT_FALSE(cache.take());
}

TEST(KeyValuePages, HasNoPageWhereLessThanOneFits) {
  KeyValuePages cache({WeightFormat::kBF16, kLayers, kHeads, kDim}, 100);
  EXPECT_EQ(cache.max_pages(), 0);
  EXPECT_FALSE(cache.take());
}

TEST(KeyValuePages, KeepsAPageUntilItsLastOwnerDropsIt) {
  KeyValuePages cache = make_pages(WeightFormat::kF32, 1);
  const int32_t page = cache.take().value();
  cache.share(page);
  EXPECT_EQ(cache.owners(page), 2);
  cache.drop(page);
  EXPECT_FALSE(cache.take());
  cache.drop(page);
  EXPECT_EQ(cache.take(), page);
  EXPECT_EQ(cache.owners(page), 1);
}

TEST_P(BothFormats, StoreKeysAndValuesAtTheirPlace) {
  const bool exact = GetParam() == WeightFormat::kF32;
  const auto stored = [&](float x) { return exact ? x : bf16_to_f32(bf16_from_f32(x)); };
  KeyValuePages cache = make_pages(GetParam(), 2);
  const int32_t pages[] = {cache.take().value(), cache.take().value()};
  const int64_t count = 2 * kLayers * kHeads * KeyValuePages::kTokens * kDim;
  const auto k = random_floats(count, 1, 1);
  const auto v = random_floats(count, 1, 2);
  const auto each = [&](auto&& visit) {
    int64_t at = 0;
    for (const int32_t page : pages) {
      for (int64_t layer = 0; layer < kLayers; ++layer) {
        for (int64_t head = 0; head < kHeads; ++head) {
          for (int64_t slot = 0; slot < KeyValuePages::kTokens; ++slot, at += kDim) {
            visit(page, layer, head, slot, static_cast<size_t>(at));
          }
        }
      }
    }
  };
  each([&](int32_t page, int64_t layer, int64_t head, int64_t slot, size_t at) {
    cache.store(layer, page, slot, head, &k[at], &v[at]);
  });
  each([&](int32_t page, int64_t layer, int64_t head, int64_t slot, size_t at) {
    const auto keys = cache.keys(layer, page, head);
    const auto values = cache.values(layer, page, head);
    for (int64_t d = 0; d < kDim; ++d) {
      const size_t i = at + static_cast<size_t>(d);
      ASSERT_EQ(kernels::unpacked_weight(keys, slot, d), stored(k[i]));
      ASSERT_EQ(kernels::unpacked_weight(values, d, slot), stored(v[i]));
    }
  });
}

TEST_P(BothFormats, CopyWholePages) {
  KeyValuePages cache = make_pages(GetParam(), 2);
  const int32_t from = cache.take().value();
  const int32_t to = cache.take().value();
  const auto k = random_floats(kDim, 1, 1);
  const auto v = random_floats(kDim, 1, 2);
  cache.store(1, from, 63, 2, k.data(), v.data());
  cache.copy(from, to);
  EXPECT_TRUE(std::equal(cache.page_data(from), cache.page_data(from) + cache.page_bytes(),
                         cache.page_data(to)));
}

}  // namespace
}  // namespace quintet::nn
