#include "quintet/io/formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/formats/gguf_testing.h"

namespace quintet::io {
namespace {

using ::testing::ElementsAre;
using testing::ExactBytes;
using testing::GgufBuilder;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ4_1 = 3;
constexpr uint32_t kQ2_K = 10;
constexpr uint32_t kQ4_K = 12;
constexpr uint32_t kI8 = 24;
constexpr uint64_t kMost = ~uint64_t{0};

const std::filesystem::path kGoldens =
    std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens/gguf";

std::string error_of(std::string_view file) {
  const auto result = parse_gguf(ExactBytes(file), "test");
  EXPECT_FALSE(result);
  return result ? "" : result.error().message();
}

// Of a file with this tensor and 64 bytes of data.
std::string error_of_tensor(std::initializer_list<uint64_t> dimensions, uint32_t type,
                            uint64_t offset = 0) {
  return error_of(GgufBuilder().tensor("a", dimensions, type, offset).file(std::string(64, '\1')));
}

GgufBuilder small() {
  GgufBuilder file;
  file.text("general.architecture", "llama").u32("llama.block_count", 2);
  file.texts("tokenizer.ggml.tokens", {"a", "b", ""});
  file.tensor("norm.weight", {4}, kF32, 0).tensor("q.weight", {32, 2}, kQ4_1, 32);
  return file;
}

TEST(Gguf, ReadsAFileOfThePublishedWriter) {
  const WeightFile file = read_weights(kGoldens / "types.gguf").value();
  const WeightFile expected = read_weights(kGoldens / "expected.safetensors").value();
  EXPECT_EQ(file.format, "gguf");
  EXPECT_EQ(file.tensors.size(), 12u);
  EXPECT_EQ(file.metadata.at("gguf_version"), "3");
  EXPECT_EQ(file.metadata.at("general.architecture"), "test");
  for (const char* name : {"f32", "f16", "bf16", "i32"}) {
    const TensorRef& tensor = *file.require(name).value();
    EXPECT_EQ(tensor.shape, expected.find(name)->shape);
    EXPECT_EQ(to_f32(tensor).value(), to_f32(*expected.find(name)).value()) << name;
    EXPECT_FALSE(file.layouts.contains(name));
  }
  EXPECT_EQ(file.find("bf16")->dtype, DType::kBF16);
  EXPECT_EQ(file.find("q4_K")->dtype, DType::kU8);
  EXPECT_THAT(file.find("q4_K")->shape, ElementsAre(864));
  EXPECT_EQ(file.layouts.at("q4_K"), "q4_K [3, 512]");
}

TEST(Gguf, ShapesAreRowMajorAndTensorsLieWhereTheyWere) {
  for (const uint32_t version : {2u, 3u}) {
    GgufBuilder builder = small();
    builder.version = version;
    const ExactBytes bytes(
        builder.file(std::string(16, '\1') + std::string(16, '\0') + std::string(40, '\2')));
    const WeightFile file = parse_gguf(bytes, "test").value();
    EXPECT_THAT(file.find("norm.weight")->shape, ElementsAre(4));
    EXPECT_EQ(file.layouts.at("q.weight"), "q4_1 [2, 32]");
    EXPECT_EQ(file.find("q.weight")->bytes[0], std::byte{2});
    EXPECT_EQ(file.find("q.weight")->bytes.size(), 40u);
    EXPECT_EQ(file.metadata.at("llama.block_count"), "2");
    EXPECT_EQ(file.metadata.at("tokenizer.ggml.tokens"), "[a, b, ]");
  }
}

TEST(Gguf, FileCutAnywhereIsRefused) {
  const std::string file = small().file(std::string(72, '\1'));
  ASSERT_TRUE(parse_gguf(ExactBytes(file), "test"));
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_FALSE(parse_gguf(ExactBytes(std::string_view(file).substr(0, length)), "test"))
        << length;
  }
}

TEST(Gguf, AnyChangedByteIsReadOrRefused) {
  std::string file = small().file(std::string(72, '\1'));
  for (size_t i = 0; i < file.size(); ++i) {
    for (const int change : {0x01, 0x10, 0x80, 0xff}) {
      file[i] = static_cast<char>(file[i] ^ change);
      const auto result = parse_gguf(ExactBytes(file), "test");
      EXPECT_TRUE(result || result.error().message().starts_with("test: ")) << i;
      file[i] = static_cast<char>(file[i] ^ change);
    }
  }
}

TEST(Gguf, OtherVersionsAndByteOrdersAreUnsupported) {
  GgufBuilder file = small();
  for (const uint32_t version : {0u, 1u, 4u, 0x03000000u}) {
    file.version = version;
    const auto result = parse_gguf(ExactBytes(file.file("")), "test");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kUnsupported);
  }
  EXPECT_THAT(error_of(file.file("")), HasSubstr("big-endian"));
  EXPECT_THAT(error_of("GGML more of it"), HasSubstr("does not start as a GGUF file"));
}

TEST(Gguf, CountsThatTheBytesCannotHoldAreRefused) {
  for (const uint64_t count : {kMost, kMost / 2, uint64_t{1} << 32, uint64_t{100}}) {
    GgufBuilder file = small();
    file.tensor_count = count;
    EXPECT_THAT(error_of(file.file(std::string(72, '\1'))), HasSubstr(" tensors, at most "));
    file = small();
    file.key_count = count;
    EXPECT_THAT(error_of(file.file(std::string(72, '\1'))), HasSubstr(" keys, at most "));
  }
}

TEST(Gguf, AlignmentsOtherThanPowersOfTwoAreRefused) {
  for (const uint32_t alignment : {0u, 3u, 33u, 0x80000000u, 0xffffffffu}) {
    GgufBuilder file = small();
    file.u32("general.alignment", alignment);
    EXPECT_THAT(error_of(file.file(std::string(72, '\1'))),
                HasSubstr("test: key 'general.alignment': is " + std::to_string(alignment) +
                          ", expected a power of two"));
  }
  EXPECT_THAT(error_of(small().text("general.alignment", "32").file("")),
              HasSubstr("test: key 'general.alignment': expected an integer, found a string"));
  EXPECT_THAT(error_of(small().u32("general.alignment", 1 << 30).file(std::string(72, '\1'))),
              HasSubstr("is cut: the data of its tensors would begin at byte 1073741824"));
}

TEST(Gguf, OffsetsFollowTheAlignmentOfTheFile) {
  GgufBuilder file;
  file.alignment = 8;
  file.u32("general.alignment", 8);
  file.tensor("a", {2}, kF32, 0).tensor("b", {2}, kF32, 8);
  const ExactBytes bytes(file.file(std::string(16, '\1')));
  EXPECT_EQ(parse_gguf(bytes, "test").value().tensors.size(), 2u);
  EXPECT_THAT(error_of_tensor({4}, kF32, 16),
              HasSubstr("test: tensor 'a': offset 16 is not a multiple of 32"));
}

TEST(Gguf, TensorsOutsideTheDataAreRefused) {
  EXPECT_THAT(error_of_tensor({17}, kF32),
              HasSubstr("test: tensor 'a': needs 68 bytes from byte 0 of the data, which has 64"));
  EXPECT_THAT(error_of_tensor({1}, kF32, 64), HasSubstr("needs 4 bytes from byte 64"));
  EXPECT_THAT(error_of_tensor({1}, kF32, 96), HasSubstr("from byte 96"));
  EXPECT_THAT(error_of_tensor({8}, kF32, kMost - 31), HasSubstr("from byte 18446744073709551584"));
  EXPECT_THAT(error_of_tensor({128}, kQ4_1), HasSubstr("needs 80 bytes"));
}

TEST(Gguf, ShapesThatCannotBeAreRefused) {
  EXPECT_THAT(error_of_tensor({}, kF32), HasSubstr("has 0 dimensions, expected 1 to 4"));
  EXPECT_THAT(error_of_tensor({1, 1, 1, 1, 1}, kF32), HasSubstr("has 5 dimensions"));
  EXPECT_THAT(error_of_tensor({kMost}, kF32), HasSubstr("has a dimension of 184467440737095"));
  EXPECT_THAT(error_of_tensor({uint64_t{1} << 62, 2}, kF32), HasSubstr("more than 2^63 bytes"));
  EXPECT_THAT(error_of_tensor({uint64_t{1} << 32, uint64_t{1} << 32}, kI8),
              HasSubstr("more than 2^63 bytes"));
  EXPECT_THAT(error_of_tensor({uint64_t{1} << 32, uint64_t{1} << 30}, kQ4_1),
              HasSubstr("needs 2882303761517117440 bytes"));
  EXPECT_THAT(error_of_tensor({uint64_t{1} << 32, uint64_t{1} << 31}, kI8), HasSubstr("more than"));
  EXPECT_THAT(error_of_tensor({33, 32}, kQ4_1),
              HasSubstr("has the shape [32, 33], whose rows are not whole blocks of 32"));
  EXPECT_THAT(error_of_tensor({32}, kQ4_K), HasSubstr("not whole blocks of 256"));
}

TEST(Gguf, OtherElementTypesAreUnsupported) {
  for (const uint32_t type : {4u, 5u, kQ2_K, 31u, 0xffffffffu}) {
    const std::string message = error_of_tensor({256}, type);
    EXPECT_THAT(message, HasSubstr("'a': has elements of ggml's type " + std::to_string(type)));
    EXPECT_THAT(message, HasSubstr("convert the model to one of F32"));
  }
}

TEST(Gguf, TensorsThatShareBytesOrNamesAreRefused) {
  const std::string data(64, '\1');
  GgufBuilder file;
  file.tensor("a", {9}, kF32, 0).tensor("b", {4}, kF32, 32);
  EXPECT_THAT(error_of(file.file(data)), HasSubstr("tensors 'a' and 'b' overlap"));
  file = GgufBuilder();
  file.tensor("a", {8}, kF32, 0).tensor("a", {8}, kF32, 32);
  EXPECT_THAT(error_of(file.file(data)), HasSubstr("the name 'a' stands twice"));
  file = GgufBuilder();
  file.tensor("a", {8}, kF32, 0).tensor("empty", {0}, kF32, 0).tensor("b", {8}, kF32, 32);
  EXPECT_TRUE(parse_gguf(ExactBytes(file.file(data)), "test"));
}

TEST(Gguf, FileWithoutTensorsNeedsNoPadding) {
  GgufBuilder file;
  file.alignment = 1;
  EXPECT_TRUE(parse_gguf(ExactBytes(file.file("")), "test").value().tensors.empty());
}

class GgufFolder : public ::testing::Test {
 protected:
  void write(std::string_view name, const std::string& content) {
    ASSERT_TRUE(write_file_atomically(folder_ / name, content));
  }
  // One part of a split model, with a tensor of this name.
  void write_part(std::string_view name, uint16_t part, uint16_t parts, std::string_view tensor) {
    GgufBuilder file;
    file.scalar("split.no", GgufType::kU16, part).scalar("split.count", GgufType::kU16, parts);
    write(name, file.tensor(tensor, {32}, kQ4_1, 0).file(std::string(20, '\1')));
  }
  std::string error() {
    const auto result = read_weights(folder_.path());
    EXPECT_FALSE(result);
    return result ? "" : result.error().message();
  }
  TemporaryFolder folder_;
};

TEST_F(GgufFolder, TheOnlyGgufFileOfAFolderIsFound) {
  write("some-name.gguf", small().file(std::string(72, '\1')));
  EXPECT_EQ(read_weights(folder_.path()).value().format, "gguf");
  write("another.gguf", "");
  EXPECT_THAT(error(), HasSubstr("has 'another.gguf' and 'some-name.gguf'; name the file"));
}

TEST_F(GgufFolder, BrokenFilesAreNamed) {
  write("x.gguf", "");
  EXPECT_THAT(error(), HasSubstr("x.gguf: is cut"));
}

TEST_F(GgufFolder, PartsOfAModelAreReadTogether) {
  write_part("m-00001-of-00002.gguf", 0, 2, "a");
  write_part("m-00002-of-00002.gguf", 1, 2, "b");
  const WeightFile file = read_weights(folder_.path()).value();
  EXPECT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.layouts.at("b"), "q4_1 [32]");
  EXPECT_EQ(file.files.size(), 2u);
  EXPECT_TRUE(read_gguf_metadata(file).value().has("split.no"));
}

TEST_F(GgufFolder, PartsThatDoNotFitTogetherAreRefused) {
  write_part("m-00001-of-00002.gguf", 0, 2, "a");
  EXPECT_THAT(error(), HasSubstr("m-00002-of-00002.gguf: cannot open"));
  write_part("m-00002-of-00002.gguf", 1, 2, "a");
  EXPECT_THAT(error(), HasSubstr("the tensor 'a' stands in another part too"));
  EXPECT_THAT(read_weights(folder_ / "m-00002-of-00002.gguf").error().message(),
              HasSubstr("is one of 2 parts, expected the first"));
  write_part("m-00001-of-00002.gguf", 0, 3, "a");
  EXPECT_THAT(error(), HasSubstr("its name must end with -00001-of-00003.gguf"));
  write_part("m-00001-of-00002.gguf", 0, 65535, "a");
  EXPECT_THAT(error(), HasSubstr("expected the first of at most 10000"));
}

}  // namespace
}  // namespace quintet::io
