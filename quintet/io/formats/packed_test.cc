#include "quintet/io/formats/packed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "quintet/io/formats/test_files.h"

namespace quintet::io {
namespace {

using testing::bytes_of;
using ::testing::ElementsAre;
using testing::ExactBytes;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

// Written from docs/formats/packed.md, apart from the code under test.
uint64_t checksum(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : text) {
    hash ^= c;
    hash *= 0x100000001b3u;
  }
  return hash;
}

std::string file_of(std::string_view header, size_t data_bytes) {
  const size_t data_start = (64 + header.size() + 4095) / 4096 * 4096;
  std::string file = std::string("QUINTET\0", 8) + bytes_of(uint32_t{1}) + bytes_of(uint32_t{0}) +
                     bytes_of(uint64_t{header.size()}) +
                     bytes_of(uint64_t{data_start + data_bytes}) + bytes_of(checksum(header)) +
                     std::string(24, '\0') + std::string(header);
  file.resize(data_start, '\0');
  return file + std::string(data_bytes, '\1');
}

std::string error_of(std::string_view file) {
  const ExactBytes bytes(file);
  const auto result = parse_packed(bytes, "test");
  EXPECT_FALSE(result);
  return result ? "" : result.error().message();
}

std::string error_of_tensor(std::string_view fields, size_t data_bytes = 128) {
  return error_of(
      file_of(R"({"metadata":{},"tensors":{"a":)" + std::string(fields) + "}}", data_bytes));
}

TEST(Packed, ReadsAFileMadeFromTheDescription) {
  const ExactBytes bytes(file_of(
      R"({"metadata":{"architecture":"whisper"},"tensors":{
          "a":{"dtype":"F32","shape":[2,2],"offset":0,"bytes":16},
          "b":{"dtype":"U8","shape":[3],"offset":64,"bytes":3,"layout":"tile rows=1 cols=3"}}})",
      67));
  const WeightFile file = parse_packed(bytes, "test").value();
  EXPECT_EQ(file.format, "packed");
  EXPECT_EQ(file.metadata.at("architecture"), "whisper");
  EXPECT_THAT(file.find("a")->shape, ElementsAre(2, 2));
  const std::span<const std::byte> whole = bytes;
  EXPECT_EQ(file.find("a")->bytes.data(), whole.data() + 4096);
  EXPECT_EQ(file.find("b")->bytes.data(), whole.data() + 4096 + 64);
  EXPECT_EQ(file.layouts.at("b"), "tile rows=1 cols=3");
  EXPECT_FALSE(file.layouts.contains("a"));
}

TEST(Packed, TensorsComeBackAlignedAndAsTheyWereWritten) {
  const TemporaryFolder folder;
  std::vector<std::byte> large((1 << 20) + 4);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * 7);
  const std::span<const std::byte> bytes = large;
  const std::array<PackedEntry, 5> entries = {{
      {"small", DType::kI8, {5}, bytes.first(5)},
      {"large", DType::kF32, {(1 << 18) + 1}, bytes},
      {"tile", DType::kU8, {77}, bytes.first(77), "tile rows=7 cols=11"},
      {"scalar", DType::kI64, {}, bytes.first(8)},
      {"empty", DType::kF32, {0}, {}},
  }};
  ASSERT_TRUE(write_packed(folder / "model.qnt", {{"key", "value"}}, entries));
  const WeightFile file = read_weights(folder.path()).value();
  EXPECT_EQ(file.format, "packed");
  EXPECT_EQ(file.metadata.at("key"), "value");
  EXPECT_EQ(file.layouts.size(), 1u);
  EXPECT_EQ(file.layouts.at("tile"), "tile rows=7 cols=11");
  EXPECT_EQ(file.file_bytes(), std::filesystem::file_size(folder / "model.qnt"));
  for (const PackedEntry& entry : entries) {
    const TensorRef& tensor = *file.require(entry.name).value();
    EXPECT_EQ(tensor.dtype, entry.dtype);
    EXPECT_EQ(tensor.shape, entry.shape);
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, entry.bytes)) << entry.name;
    const uintptr_t alignment = entry.bytes.size() >= (1 << 20) ? 4096 : 64;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % alignment, 0u) << entry.name;
  }
  EXPECT_THAT(folder.names(), ElementsAre("model.qnt"));
}

TEST(Packed, ModelWithoutTensorsIsPossible) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_packed(folder / "model.qnt", {}, {}));
  EXPECT_TRUE(read_weights(folder / "model.qnt").value().tensors.empty());
}

TEST(Packed, EqualInputGivesEqualBytes) {
  const TemporaryFolder folder;
  const std::array<std::byte, 4> bytes = {};
  const std::array<PackedEntry, 2> entries = {
      {{"b", DType::kI32, {1}, bytes}, {"a", DType::kI8, {4}, bytes}}};
  ASSERT_TRUE(write_packed(folder / "1.qnt", {{"y", "1"}, {"x", "2"}}, entries));
  ASSERT_TRUE(write_packed(folder / "2.qnt", {{"x", "2"}, {"y", "1"}}, entries));
  EXPECT_EQ(read_file(folder / "1.qnt", 1 << 20).value(),
            read_file(folder / "2.qnt", 1 << 20).value());
}

TEST(Packed, ImpossibleEntriesLeaveTheOldFileAsItWas) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "model.qnt", "before"));
  const std::array<std::byte, 4> bytes = {};
  const auto message = [&](std::vector<PackedEntry> entries) {
    const auto result = write_packed(folder / "model.qnt", {}, entries);
    return result ? std::string() : result.error().message();
  };
  EXPECT_THAT(message({{"a", DType::kF32, {2}, bytes}}), HasSubstr("do not fit its shape [2]"));
  EXPECT_THAT(message({{"a", DType::kF32, {1}, bytes}, {"a", DType::kI8, {4}, bytes}}),
              HasSubstr("'a' stands twice"));
  EXPECT_THAT(message({{"a", DType::kF32, {1}, bytes, "tile"}}), HasSubstr("its type must be U8"));
  EXPECT_THAT(message({{"\xff", DType::kF32, {1}, bytes}}), HasSubstr("UTF-8"));
  EXPECT_EQ(read_file(folder / "model.qnt", 100).value(), "before");
  EXPECT_THAT(folder.names(), ElementsAre("model.qnt"));
  EXPECT_FALSE(write_packed(folder / "none/model.qnt", {}, {}));
}

TEST(Packed, FileCutAnywhereIsRefused) {
  const std::string file = file_of(
      R"({"metadata":{},"tensors":{"a":{"dtype":"I8","shape":[4],"offset":0,"bytes":4}}})", 4);
  ASSERT_TRUE(parse_packed(ExactBytes(file), "test"));
  for (size_t length = 0; length < file.size(); ++length) {
    const ExactBytes cut(std::string_view(file).substr(0, length));
    EXPECT_FALSE(parse_packed(cut, "test")) << length;
  }
  EXPECT_THAT(error_of(file + "x"), HasSubstr("but was written with"));
}

TEST(Packed, EveryChangedByteOfTheHeadersIsNoticed) {
  const std::string header =
      R"({"metadata":{},"tensors":{"a":{"dtype":"I8","shape":[4],"offset":0,"bytes":4}}})";
  std::string file = file_of(header, 4);
  for (size_t i = 0; i < 64 + header.size(); ++i) {
    file[i] = static_cast<char>(file[i] ^ 0x10);
    EXPECT_FALSE(parse_packed(ExactBytes(file), "test")) << i;
    file[i] = static_cast<char>(file[i] ^ 0x10);
  }
}

TEST(Packed, NewerVersionsAndFlagsAreUnsupported) {
  for (const size_t place : {8, 12, 40}) {
    std::string file = file_of(R"({"metadata":{},"tensors":{}})", 0);
    file[place] = 2;
    const auto result = parse_packed(ExactBytes(file), "test");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kUnsupported);
  }
}

TEST(Packed, AbsurdLengthsAreRefused) {
  std::string file = file_of(R"({"metadata":{},"tensors":{}})", 0);
  file.replace(16, 8, bytes_of(~uint64_t{0}));
  EXPECT_THAT(error_of(file), HasSubstr("at most 4032 is possible"));
  file.replace(24, 8, bytes_of(~uint64_t{0}));
  EXPECT_THAT(error_of(file), HasSubstr("but was written with 18446744073709551615"));
}

TEST(Packed, TensorsThatContradictThemselvesAreRefused) {
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":0,"bytes":5})"),
              HasSubstr("test: tensor 'a': has 5 bytes, but its shape [4] of I8 needs 4"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[200],"offset":0,"bytes":200})"),
              HasSubstr("do not lie inside the 128"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":-64,"bytes":4})"),
              HasSubstr("negative"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":32,"bytes":4})"),
              HasSubstr("not a multiple of 64"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[1048576],"offset":64,"bytes":1048576})",
                              (1 << 20) + 64),
              HasSubstr("not a multiple of 4096"));
  EXPECT_THAT(
      error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":9223372036854775744,"bytes":4})"),
      HasSubstr("do not lie inside"));
  EXPECT_THAT(
      error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":18446744073709551552,"bytes":4})"),
      HasSubstr("integer of 64 bits"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I4","shape":[4],"offset":0,"bytes":4})"),
              HasSubstr("type 'I4' cannot be read"));
  EXPECT_THAT(error_of_tensor(R"({"dtype":"I8","shape":[4],"offset":0,"bytes":4,"layout":"tile"})"),
              HasSubstr("layout 'tile', so its type must be U8"));
  EXPECT_THAT(error_of_tensor("7"), HasSubstr("not described by an object"));
}

TEST(Packed, TensorsThatShareBytesAreRefused) {
  EXPECT_THAT(error_of(file_of(R"({"metadata":{},"tensors":{
                  "a":{"dtype":"I8","shape":[65],"offset":0,"bytes":65},
                  "b":{"dtype":"I8","shape":[4],"offset":64,"bytes":4}}})",
                               128)),
              HasSubstr("tensors 'a' and 'b' overlap"));
}

TEST(Packed, HeadersOfAnotherFormAreRefused) {
  EXPECT_THAT(error_of(file_of("[]", 0)), HasSubstr("in an object, found array"));
  EXPECT_THAT(error_of(file_of("{", 0)), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(error_of(file_of(R"({"tensors":{}})", 0)), HasSubstr("key 'metadata'"));
  EXPECT_THAT(error_of(file_of(R"({"metadata":{}})", 0)), HasSubstr("key 'tensors'"));
  EXPECT_THAT(error_of(file_of(R"({"metadata":{"a":1},"tensors":{}})", 0)),
              HasSubstr("not a string"));
}

}  // namespace
}  // namespace quintet::io
