#include "quintet/io/formats/gguf_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

const std::filesystem::path kGoldens =
    std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens/gguf";

constexpr std::array<const char*, 8> kNames = {"q8_0", "q4_0", "q4_1", "q5_0",
                                               "q5_1", "q4_K", "q5_K", "q6_K"};

class GgufBlocks : public ::testing::TestWithParam<const char*> {
 protected:
  BlockTensor tensor() const { return block_tensor(weights_, GetParam()).value().value(); }

  WeightFile weights_ = read_weights(kGoldens / "types.gguf").value();
  WeightFile expected_ = read_weights(kGoldens / "expected.safetensors").value();
};

TEST_P(GgufBlocks, ValuesAreExactlyThoseOfThePublishedConversions) {
  const BlockTensor blocks = tensor();
  EXPECT_EQ(block_format_info(blocks.format).name, GetParam());
  EXPECT_THAT(blocks.shape, ElementsAre(3, 512));
  std::vector<float> values(3 * 512);
  block_rows_to_f32(blocks, 0, 3, values.data());
  EXPECT_EQ(values, to_f32(*expected_.find(GetParam())).value());
}

TEST_P(GgufBlocks, RowsCanBeReadAlone) {
  const BlockTensor blocks = tensor();
  std::vector<float> whole(3 * 512);
  block_rows_to_f32(blocks, 0, 3, whole.data());
  std::vector<float> part(2 * 512 + 1, 77.0f);
  block_rows_to_f32(blocks, 1, 2, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end() - 1, whole.begin() + 512));
  EXPECT_EQ(part.back(), 77.0f);
  block_rows_to_f32(blocks, 3, 0, nullptr);
}

TEST_P(GgufBlocks, GridsOfFourBitsGiveEveryValueExactly) {
  const BlockTensor blocks = tensor();
  std::vector<float> values(3 * 512);
  block_rows_to_f32(blocks, 0, 3, values.data());
  std::vector<Int4Grid> grids(3 * 16);
  const std::string name = GetParam();
  const bool has_grids = block_int4_grids(blocks, 0, 3, grids.data());
  ASSERT_EQ(has_grids, name == "q4_0" || name == "q4_1" || name == "q4_K");
  if (!has_grids) return;
  for (size_t i = 0; i < values.size(); ++i) {
    const Int4Grid grid = grids[i / 32];
    bool found = false;
    for (int q = 0; q < 16; ++q) {
      found |= grid.minimum + grid.step * static_cast<float>(q) == values[i];
    }
    EXPECT_TRUE(found) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, GgufBlocks, ::testing::ValuesIn(kNames),
                         [](const auto& test) { return std::string(test.param); });

TEST(BlockTensors, PlainTensorsHaveNoBlocks) {
  const WeightFile weights = read_weights(kGoldens / "types.gguf").value();
  EXPECT_FALSE(block_tensor(weights, "f16").value().has_value());
  EXPECT_THAT(block_tensor(weights, "none").error().message(),
              HasSubstr("tensor 'none' is missing"));
}

TEST(BlockTensors, LayoutsThatComeFromAPackedFileAreChecked) {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes(40);
  const auto error_of = [&](const std::string& layout) {
    const std::vector<PackedEntry> entries = {{"a", DType::kU8, {40}, bytes, layout}};
    EXPECT_TRUE(write_packed(folder / "m.qnt", {}, entries));
    const WeightFile weights = read_weights(folder / "m.qnt").value();
    const auto result = block_tensor(weights, "a");
    return result ? std::string() : result.error().message();
  };
  EXPECT_EQ(error_of("q4_1 [64]"), "");
  EXPECT_EQ(error_of("q4_1 [2, 32]"), "");
  EXPECT_THAT(error_of("panel k=3"), HasSubstr("'panel k=3', expected one of quantised blocks"));
  for (const char* layout :
       {"q4_1", "q4_1 ", "q4_1 []", "q4_1 [", "q4_1 [64", "q4_1 [64, ]", "q4_1 [64,1]",
        "q4_1 [32, 2]", "q4_1 [96]", "q4_1 [-2, -32]", "q4_1 [99999999999999999999]",
        "q4_1 [4294967296, 4294967296]", "q4_1 [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,64]"}) {
    EXPECT_THAT(error_of(layout), HasSubstr("does not fit its bytes")) << layout;
  }
}

TEST(BlockTensors, SizesThatDoNotFitHaveNoBytes) {
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ4_K, {3, 512}), 3u * 2u * 144u);
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ8_0, {0, 32}), 0u);
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ8_0, {}), std::nullopt);
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ8_0, {32, 33}), std::nullopt);
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ8_0, {int64_t{1} << 58, 32}), std::nullopt);
  EXPECT_EQ(block_tensor_bytes(BlockFormat::kQ8_0, {-1, 32}), std::nullopt);
}

}  // namespace
}  // namespace quintet::io
