#include "quintet/io/formats/safetensors.h"

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

std::string file_of(std::string_view header, size_t data_bytes) {
  return bytes_of(uint64_t{header.size()}) + std::string(header) + std::string(data_bytes, '\1');
}

std::string error_of(std::string_view file) {
  const ExactBytes bytes(file);
  const auto result = parse_safetensors(bytes, "test");
  EXPECT_FALSE(result);
  return result ? "" : result.error().message();
}

std::string error_of_tensors(std::string_view tensors, size_t data_bytes = 16) {
  return error_of(file_of(tensors, data_bytes));
}

const std::filesystem::path kTinyWhisper =
    std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens/tiny-whisper";

TEST(Safetensors, ReadsTheFileOfATrainedFramework) {
  const WeightFile file = read_weights(kTinyWhisper / "model.safetensors").value();
  EXPECT_EQ(file.format, "safetensors");
  EXPECT_EQ(file.tensors.size(), 89u);
  EXPECT_EQ(file.metadata.at("format"), "pt");
  EXPECT_EQ(file.file_bytes(), 975672u);
  const TensorRef* embedding = file.find("model.decoder.embed_tokens.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->dtype, DType::kF32);
  EXPECT_THAT(embedding->shape, ElementsAre(512, 64));
  EXPECT_EQ(to_f32(*embedding).value().size(), 512u * 64u);
  EXPECT_EQ(file.find("model.decoder"), nullptr);
  EXPECT_THAT(file.require("model.decoder").error().message(),
              HasSubstr("model.safetensors: tensor 'model.decoder' is missing"));
}

TEST(Safetensors, TensorsComeBackAsTheyWereWritten) {
  const TemporaryFolder folder;
  const std::array<float, 6> numbers = {1, 2, 3, 4, 5, 6};
  const std::array<int8_t, 3> small = {-1, 0, 1};
  const std::array<TensorEntry, 4> entries = {{
      {"b.small", DType::kI8, {3}, std::as_bytes(std::span(small))},
      {"a.matrix", DType::kF32, {2, 3}, std::as_bytes(std::span(numbers))},
      {"scalar", DType::kF32, {}, std::as_bytes(std::span(numbers).first(1))},
      {"empty", DType::kF16, {0, 5}, {}},
  }};
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", entries, {{"format", "pt"}}));
  const WeightFile file = read_weights(folder.path()).value();
  EXPECT_EQ(file.tensors.size(), entries.size());
  EXPECT_EQ(file.metadata.at("format"), "pt");
  for (const TensorEntry& entry : entries) {
    const TensorRef& tensor = *file.require(entry.name).value();
    EXPECT_EQ(tensor.dtype, entry.dtype);
    EXPECT_EQ(tensor.shape, entry.shape);
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, entry.bytes)) << entry.name;
    const auto address = reinterpret_cast<uintptr_t>(tensor.bytes.data());
    EXPECT_EQ(address % static_cast<uintptr_t>(dtype_bytes(entry.dtype)), 0u) << entry.name;
  }
  EXPECT_THAT(folder.names(), ElementsAre("model.safetensors"));
}

TEST(Safetensors, ImpossibleEntriesAreRefusedAndLeaveNothingBehind) {
  const TemporaryFolder folder;
  const std::array<float, 2> numbers = {1, 2};
  const auto bytes = std::as_bytes(std::span(numbers));
  const auto message = [&](std::vector<TensorEntry> entries) {
    const auto result = write_safetensors(folder / "model.safetensors", entries);
    return result ? std::string() : result.error().message();
  };
  EXPECT_THAT(message({{"a", DType::kF32, {3}, bytes}}), HasSubstr("do not fit its shape [3]"));
  EXPECT_THAT(message({{"a", DType::kF32, {-2}, bytes}}), HasSubstr("do not fit"));
  EXPECT_THAT(message({{"a", DType::kF32, {2}, bytes}, {"a", DType::kF32, {2}, bytes}}),
              HasSubstr("'a': the name stands twice"));
  EXPECT_THAT(message({{"__metadata__", DType::kF32, {2}, bytes}}), HasSubstr("reserved"));
  EXPECT_THAT(message({{"\xff", DType::kF32, {2}, bytes}}), HasSubstr("UTF-8"));
  EXPECT_THAT(folder.names(), ElementsAre());
}

TEST(Safetensors, FileCutAnywhereIsRefused) {
  const std::string file = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  ASSERT_TRUE(parse_safetensors(ExactBytes(file), "test"));
  for (size_t length = 0; length < file.size(); ++length) {
    const ExactBytes cut(std::string_view(file).substr(0, length));
    EXPECT_FALSE(parse_safetensors(cut, "test")) << length;
  }
}

TEST(Safetensors, HeaderLengthPastTheFileOrTheLimitIsRefused) {
  EXPECT_THAT(error_of(bytes_of(~uint64_t{0}) + "{}"), HasSubstr("at most 2 is possible"));
  EXPECT_THAT(error_of(bytes_of(uint64_t{3}) + "{}"), HasSubstr("at most 2 is possible"));
  std::string large = bytes_of(uint64_t{100'000'001});
  large.resize(100'000'100, ' ');
  EXPECT_THAT(error_of(large), HasSubstr("at most 100000000 is possible"));
}

TEST(Safetensors, OffsetsOutsideTheDataAreRefused) {
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})"),
              HasSubstr("test: tensor 'a': bytes 0 to 20 do not lie inside the 16"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})"),
              HasSubstr("do not lie inside"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})"),
              HasSubstr("not a pair of integers from 0 on"));
  EXPECT_THAT(error_of_tensors(
                  R"({"a":{"dtype":"F32","shape":[1],
                      "data_offsets":[18446744073709551612,18446744073709551615]}})"),
              HasSubstr("do not lie inside"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}})"),
              HasSubstr("not a pair"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}})"),
              HasSubstr("not a pair"));
}

TEST(Safetensors, ShapesThatDoNotFitTheirBytesAreRefused) {
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
              HasSubstr("has 8 bytes, but its shape [3] of F32 needs 12"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}})"),
              HasSubstr("[-1, -2]"));
  EXPECT_THAT(error_of_tensors(
                  R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
              HasSubstr("needs more than 2^63"));
  EXPECT_THAT(error_of_tensors(
                  R"({"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,0]}})"),
              HasSubstr("needs more than 2^63"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"I8",
                                   "shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],
                                   "data_offsets":[0,1]}})"),
              HasSubstr("17 dimensions"));
}

TEST(Safetensors, TensorsThatShareBytesAreRefused) {
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]},
                                   "b":{"dtype":"I8","shape":[8],"data_offsets":[7,15]}})"),
              HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_TRUE(
      parse_safetensors(ExactBytes(file_of(R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]},
                             "e":{"dtype":"I8","shape":[0],"data_offsets":[3,3]},
                             "b":{"dtype":"I8","shape":[8],"data_offsets":[8,16]}})",
                                           16)),
                        "test"));
}

TEST(Safetensors, HeadersOfAnotherFormAreRefused) {
  EXPECT_THAT(error_of_tensors("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of_tensors("{"), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(error_of_tensors(R"({"a":1})"), HasSubstr("not described by an object"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"shape":[1],"data_offsets":[0,4]}})"),
              HasSubstr("key 'dtype' is missing"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})"),
              HasSubstr("type 'F8_E4M3' cannot be read"));
  EXPECT_THAT(error_of_tensors(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},
                                   "a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})"),
              HasSubstr("'a' stands twice"));
  EXPECT_THAT(error_of_tensors(R"({"__metadata__":{"a":1}})"), HasSubstr("not a string"));
  EXPECT_THAT(error_of_tensors(R"({"__metadata__":[]})"), HasSubstr("not an object"));
  EXPECT_THAT(error_of_tensors(std::string(1000, '[')), HasSubstr("nested deeper"));
}

TEST(Safetensors, NamesInErrorsStayOnOneLine) {
  const std::string message = error_of_tensors(R"({"a\nb\u001b":1})");
  EXPECT_THAT(message, HasSubstr("'a\\x0ab\\x1b'"));
}

class ShardedSafetensors : public ::testing::Test {
 protected:
  void write_shard(std::string_view file, const std::string& tensor) {
    const std::array<float, 1> one = {1};
    const std::array<TensorEntry, 1> entries = {
        {{tensor, DType::kF32, {1}, std::as_bytes(std::span(one))}}};
    ASSERT_TRUE(write_safetensors(folder_ / file, entries));
  }
  Result<WeightFile> read_with_index(std::string_view index) {
    EXPECT_TRUE(write_file_atomically(folder_ / "model.safetensors.index.json", index));
    return read_weights(folder_.path());
  }
  std::string error_with_index(std::string_view index) {
    const auto result = read_with_index(index);
    EXPECT_FALSE(result);
    return result ? "" : result.error().message();
  }
  TemporaryFolder folder_;
};

TEST_F(ShardedSafetensors, TensorsOfAllShardsStandInOneTable) {
  write_shard("one.safetensors", "a");
  write_shard("two.safetensors", "b");
  const WeightFile file = read_with_index(R"({"metadata":{"total_size":8},
                          "weight_map":{"a":"one.safetensors","b":"two.safetensors"}})")
                              .value();
  EXPECT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.files.size(), 2u);
  EXPECT_EQ(to_f32(*file.require("b").value()).value().front(), 1.0f);
}

TEST_F(ShardedSafetensors, ShardNamesMayNotLeaveTheFolder) {
  for (const char* name : {"../x.safetensors", "..", ".", "", "/etc/passwd", "a/b", "a\\\\b",
                           "a\\u0000.safetensors"}) {
    EXPECT_THAT(error_with_index(R"({"weight_map":{"a":")" + std::string(name) + "\"}}"),
                HasSubstr("expected a file name inside the folder"))
        << name;
  }
}

TEST_F(ShardedSafetensors, IndexThatDoesNotMatchItsShardsIsRefused) {
  write_shard("one.safetensors", "a");
  EXPECT_THAT(error_with_index(R"({"weight_map":{"b":"one.safetensors"}})"),
              HasSubstr("one.safetensors: lacks the tensor 'b'"));
  EXPECT_THAT(error_with_index(R"({"weight_map":{"a":"two.safetensors"}})"),
              HasSubstr("two.safetensors: cannot open"));
  EXPECT_THAT(error_with_index(R"({"weight_map":{"a":1}})"), HasSubstr("not a file name"));
  EXPECT_THAT(error_with_index(R"({})"), HasSubstr("key 'weight_map'"));
}

}  // namespace
}  // namespace quintet::io
