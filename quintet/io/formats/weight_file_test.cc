#include "quintet/io/formats/weight_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::io {
namespace {

using testing::bytes_of;
using ::testing::ElementsAre;
using testing::ExactBytes;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

std::string error_of(const std::filesystem::path& path) {
  const auto result = read_weights(path);
  EXPECT_FALSE(result) << path;
  return result ? "" : result.error().message();
}

TEST(ReadWeights, FolderWithoutWeightsNamesWhatWasExpected) {
  const TemporaryFolder folder;
  const auto result = read_weights(folder.path());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kNotFound);
  EXPECT_THAT(result.error().message(), HasSubstr("expected one of model.qnt, model.safetensors, "
                                                  "model.safetensors.index.json, model.bin"));
}

TEST(ReadWeights, PackedModelComesBeforeTheOthersInAFolder) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", {}));
  EXPECT_EQ(read_weights(folder.path()).value().format, "safetensors");
  ASSERT_TRUE(write_packed(folder / "model.qnt", {}, {}));
  EXPECT_EQ(read_weights(folder.path()).value().format, "packed");
}

TEST(ReadWeights, FilesAreRecognisedByTheirFirstBytes) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_safetensors(folder / "tensors", {}));
  EXPECT_EQ(read_weights(folder / "tensors").value().format, "safetensors");
  ASSERT_TRUE(write_packed(folder / "weights", {}, {}));
  EXPECT_EQ(read_weights(folder / "weights").value().format, "packed");
}

TEST(ReadWeights, FilesOfNoFormatAreUnsupported) {
  const TemporaryFolder folder;
  for (const std::string_view content : {"", "x", "not weights at all", "PK\3\4 a zip file"}) {
    ASSERT_TRUE(write_file_atomically(folder / "pytorch_model.bin", content));
    EXPECT_THAT(error_of(folder / "pytorch_model.bin"),
                HasSubstr("pytorch_model.bin: not a weight file of a known format"));
  }
  EXPECT_THAT(error_of(folder / "none"), HasSubstr("cannot open"));
}

TEST(ReadWeights, TensorsOutliveTheirFileWhileACopyLives) {
  const TemporaryFolder folder;
  const std::array<float, 2> numbers = {3, 4};
  const std::array<TensorEntry, 1> entries = {
      {{"a", DType::kF32, {2}, std::as_bytes(std::span(numbers))}}};
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", entries));
  WeightFile copy;
  {
    const WeightFile file = read_weights(folder.path()).value();
    copy = file;
  }
  std::filesystem::remove(folder / "model.safetensors");
  EXPECT_THAT(to_f32(*copy.find("a")).value(), ElementsAre(3.0f, 4.0f));
}

TEST(ReadWeights, TensorsThatConcurrentThreadsReadIntoMemoryAreTheSameAndOutliveTheirFile) {
  const TemporaryFolder folder;
  std::vector<std::byte> large(5 << 20);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * i >> 7);
  const auto size = static_cast<int64_t>(large.size());
  const std::span<const std::byte> bytes = large;
  ASSERT_TRUE(write_packed(folder / "m.qnt", {},
                           std::vector<PackedEntry>{{"small", DType::kU8, {3}, bytes.first(3)},
                                                    {"empty", DType::kU8, {0}, {}},
                                                    {"large", DType::kU8, {size}, bytes}}));
  ThreadPool pool(3);
  WeightFile file = *read_weights(folder / "m.qnt");
  const auto memory = file.read_into_memory(pool);
  ASSERT_TRUE(memory) << memory.error().message();
  std::filesystem::resize_file(folder / "m.qnt", 0);
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, bytes.first(tensor.bytes.size()))) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % 64, 0u) << name;
  }
}

TEST(ReadWeights, AFileThatShrinksIsAnErrorWhileItIsRead) {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes(1 << 20);
  ASSERT_TRUE(write_packed(folder / "m.qnt", {},
                           std::vector<PackedEntry>{{"t", DType::kU8, {1 << 20}, bytes}}));
  ThreadPool pool(2);
  WeightFile file = *read_weights(folder / "m.qnt");
  std::filesystem::resize_file(folder / "m.qnt", 5000);
  const auto memory = file.read_into_memory(pool);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code(), Code::kIo);
  EXPECT_NE(memory.error().message().find("has become shorter"), std::string::npos);
}

TEST(ReadWeights, ReleasingTouchesNothingButMappedFiles) {
  std::vector<std::byte> own(3 * 4096, std::byte{7});
  WeightFile file;
  file.release(own);
  EXPECT_EQ(own, std::vector<std::byte>(3 * 4096, std::byte{7}));
}

TEST(ToF32, EveryTypeKeepsItsValuesAtAnyAddress) {
  const auto converted = [](DType type, const auto& values) {
    // One byte in front moves the numbers off their alignment.
    const std::string bytes = 'x' + bytes_of(values);
    const ExactBytes exact(bytes);
    const std::span<const std::byte> whole = exact;
    return to_f32({type, {static_cast<int64_t>(values.size())}, whole.subspan(1)}).value();
  };
  EXPECT_THAT(converted(DType::kF32, std::array<float, 2>{1.5f, -2.0f}), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(converted(DType::kF64, std::array<double, 2>{0.25, -1e300}),
              ElementsAre(0.25f, -std::numeric_limits<float>::infinity()));
  EXPECT_THAT(converted(DType::kF16, std::array<uint16_t, 3>{0x3c00, 0xc000, 0x0001}),
              ElementsAre(1.0f, -2.0f, 0x1p-24f));
  EXPECT_THAT(converted(DType::kBF16, std::array<uint16_t, 2>{0x3f80, 0xc040}),
              ElementsAre(1.0f, -3.0f));
  EXPECT_THAT(converted(DType::kI8, std::array<int8_t, 2>{-128, 127}),
              ElementsAre(-128.0f, 127.0f));
  EXPECT_THAT(converted(DType::kU8, std::array<uint8_t, 2>{0, 255}), ElementsAre(0.0f, 255.0f));
  EXPECT_THAT(converted(DType::kI16, std::array<int16_t, 1>{-300}), ElementsAre(-300.0f));
  EXPECT_THAT(converted(DType::kI32, std::array<int32_t, 1>{70000}), ElementsAre(70000.0f));
  EXPECT_THAT(converted(DType::kI64, std::array<int64_t, 1>{int64_t{1} << 40}),
              ElementsAre(0x1p40f));
  EXPECT_THAT(converted(DType::kBool, std::array<uint8_t, 3>{0, 1, 2}),
              ElementsAre(0.0f, 1.0f, 1.0f));
}

TEST(ToF32, BytesOfAnotherLengthAreRefused) {
  const std::array<std::byte, 7> bytes = {};
  EXPECT_FALSE(to_f32({DType::kF32, {2}, bytes}));
  EXPECT_FALSE(to_f32({DType::kI8, {-7}, bytes}));
}

TEST(ScalarInt, ReadsOneIntegerOfAnyWidth) {
  const auto value = [](DType type, const auto& number, Shape shape = {}) {
    const ExactBytes exact(bytes_of(number));
    return scalar_int({type, std::move(shape), exact});
  };
  EXPECT_EQ(value(DType::kI8, int8_t{-1}).value(), -1);
  EXPECT_EQ(value(DType::kU8, uint8_t{255}).value(), 255);
  EXPECT_EQ(value(DType::kI16, int16_t{-300}, {1}).value(), -300);
  EXPECT_EQ(value(DType::kI32, int32_t{70000}, {1, 1}).value(), 70000);
  EXPECT_EQ(value(DType::kI64, int64_t{-5}).value(), -5);
  EXPECT_EQ(value(DType::kBool, uint8_t{2}).value(), 1);
  EXPECT_THAT(value(DType::kF32, 1.0f).error().message(),
              HasSubstr("expected one integer, found [] of F32"));
  EXPECT_FALSE(value(DType::kI8, std::array<int8_t, 2>{1, 2}, {2}));
}

}  // namespace
}  // namespace quintet::io
