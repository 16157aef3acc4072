#include "quintet/io/formats/gguf_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "quintet/io/formats/gguf.h"
#include "quintet/io/formats/gguf_testing.h"

namespace quintet::io {
namespace {

using testing::bytes_of;
using ::testing::ElementsAre;
using testing::ExactBytes;
using testing::GgufBuilder;
using ::testing::HasSubstr;

constexpr uint64_t kMost = ~uint64_t{0};

const std::filesystem::path kTypes =
    std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens/gguf/types.gguf";

GgufMetadata types() { return read_gguf_metadata(read_weights(kTypes).value()).value(); }

Result<GgufHeader> header_of(std::span<const std::byte> file) {
  ByteCursor in(file);
  return GgufHeader::read(in, "test");
}

std::string error_of(const GgufBuilder& builder) {
  const std::string file = builder.file("");
  const auto result = header_of(ExactBytes(file));
  EXPECT_FALSE(result);
  return result ? "" : result.error().message();
}

template <typename T>
std::string message(const Result<T>& result) {
  return result ? "" : result.error().message();
}

TEST(GgufMetadata, ReadsEveryTypeOfThePublishedWriter) {
  const GgufMetadata metadata = types();
  EXPECT_EQ(metadata.int_field("test.u8").value(), 200);
  EXPECT_EQ(metadata.int_field("test.i8").value(), -100);
  EXPECT_EQ(metadata.int_field("test.u16").value(), 60000);
  EXPECT_EQ(metadata.int_field("test.i16").value(), -30000);
  EXPECT_EQ(metadata.int_field("test.u32").value(), 4000000000);
  EXPECT_EQ(metadata.int_field("test.i32").value(), -2000000000);
  EXPECT_EQ(metadata.int_field("test.i64").value(), -(int64_t{1} << 62));
  EXPECT_EQ(metadata.number_field("test.u64").value(), 0x1p63);
  EXPECT_EQ(metadata.number_field("test.i8").value(), -100.0);
  EXPECT_EQ(metadata.number_field("test.f32").value(), static_cast<double>(1e-5f));
  EXPECT_EQ(metadata.number_field("test.f64").value(), 0.1);
  EXPECT_TRUE(metadata.bool_field("test.bool").value());
  EXPECT_EQ(metadata.string_field("test.string").value(), "Gr\u00fc\u00dfe\n");
  EXPECT_THAT(metadata.string_list_field("test.strings").value(), ElementsAre("", "a", "\u0120b"));
  EXPECT_THAT(metadata.int_list_field("test.ints").value(), ElementsAre(1, -2, 3));
  EXPECT_THAT(metadata.int_list_field("test.bools").value(), ElementsAre(1, 0));
  EXPECT_THAT(metadata.float_list_field("test.floats").value(), ElementsAre(0.5f, -0.25f));
  EXPECT_THAT(metadata.float_list_field("test.ints").value(), ElementsAre(1.0f, -2.0f, 3.0f));
  EXPECT_THAT(metadata.keys(), ::testing::Contains("test.long"));
}

TEST(GgufMetadata, ShortValuesBecomeText) {
  const auto texts = types().texts();
  EXPECT_EQ(texts.at("test.u64"), "9223372036854775808");
  EXPECT_EQ(texts.at("test.f32"), "1e-05");
  EXPECT_EQ(texts.at("test.f64"), "0.1");
  EXPECT_EQ(texts.at("test.bool"), "true");
  EXPECT_EQ(texts.at("test.strings"), "[, a, \u0120b]");
  EXPECT_EQ(texts.at("test.ints"), "[1, -2, 3]");
  EXPECT_EQ(texts.at("test.bools"), "[true, false]");
  EXPECT_FALSE(texts.contains("test.long"));
}

TEST(GgufMetadata, MissingKeysAreErrorsUnlessThereIsAFallback) {
  const GgufMetadata metadata = types();
  EXPECT_FALSE(metadata.has("none"));
  const std::string expected = kTypes.string() + ": key 'none' is missing";
  EXPECT_EQ(metadata.int_field("none").error().code(), Code::kNotFound);
  EXPECT_EQ(message(metadata.int_field("none")), expected);
  EXPECT_EQ(message(metadata.number_field("none")), expected);
  EXPECT_EQ(message(metadata.bool_field("none")), expected);
  EXPECT_EQ(message(metadata.string_field("none")), expected);
  EXPECT_EQ(message(metadata.string_list_field("none")), expected);
  EXPECT_EQ(message(metadata.int_list_field("none")), expected);
  EXPECT_EQ(message(metadata.float_list_field("none")), expected);
  EXPECT_EQ(metadata.int_field("none", 7).value(), 7);
  EXPECT_EQ(metadata.number_field("none", 0.5).value(), 0.5);
  EXPECT_TRUE(metadata.bool_field("none", true).value());
  EXPECT_EQ(metadata.string_field("none", "x").value(), "x");
  EXPECT_EQ(metadata.int_field("test.u8", 7).value(), 200);
}

TEST(GgufMetadata, ValuesOfAnotherTypeAreErrorsAlsoWithAFallback) {
  const GgufMetadata metadata = types();
  EXPECT_THAT(message(metadata.int_field("test.f32", 7)),
              HasSubstr("key 'test.f32': expected an integer, found a number"));
  EXPECT_THAT(message(metadata.int_field("test.bool")), HasSubstr("found a boolean"));
  EXPECT_THAT(message(metadata.int_field("test.ints")), HasSubstr("found a list of integers"));
  EXPECT_THAT(message(metadata.int_field("test.u64")), HasSubstr("an integer below 2^63"));
  EXPECT_THAT(message(metadata.number_field("test.string")), HasSubstr("found a string"));
  EXPECT_THAT(message(metadata.bool_field("test.u8")), HasSubstr("expected a boolean"));
  EXPECT_THAT(message(metadata.string_field("test.strings")), HasSubstr("a list of strings"));
  EXPECT_THAT(message(metadata.string_list_field("test.string")), HasSubstr("found a string"));
  EXPECT_THAT(message(metadata.int_list_field("test.floats")), HasSubstr("list of numbers"));
  EXPECT_THAT(message(metadata.float_list_field("test.bools")), HasSubstr("list of booleans"));
}

TEST(GgufMetadata, ListsWithIntegersPastTheRangeAreRefused) {
  const std::string file = GgufBuilder().list<uint64_t>("a", GgufType::kU64, {1, kMost}).file("");
  const ExactBytes bytes(file);
  const auto header = header_of(bytes);
  EXPECT_THAT(message(header.value().metadata.int_list_field("a")),
              HasSubstr("test: key 'a': expected integers below 2^63"));
}

TEST(GgufMetadata, OfAFileInAnotherFormatIsAnError) {
  WeightFile file;
  file.format = "ct2";
  EXPECT_EQ(read_gguf_metadata(file).error().code(), Code::kInvalidArgument);
}

TEST(GgufMetadata, UnknownAndNestedTypesAreRefused) {
  EXPECT_THAT(error_of(GgufBuilder().raw("a", bytes_of(uint32_t{13}))),
              HasSubstr("key 'a': has a value of type 13, 0 to 12 are known"));
  EXPECT_THAT(error_of(GgufBuilder().raw("a", bytes_of(~uint32_t{0}))), HasSubstr("4294967295"));
  EXPECT_THAT(error_of(GgufBuilder().raw("a", GgufBuilder::list_head(GgufType{99}, 1))),
              HasSubstr("type 99"));
  EXPECT_THAT(error_of(GgufBuilder().raw("a", GgufBuilder::list_head(GgufType::kArray, 1))),
              HasSubstr("key 'a': is a list of lists"));
}

TEST(GgufMetadata, LengthsPastTheFileAreRefused) {
  for (const uint64_t length : {kMost, kMost - 7, uint64_t{1} << 62, uint64_t{1000}}) {
    EXPECT_THAT(error_of(GgufBuilder().raw("a", bytes_of(GgufType::kString) + bytes_of(length))),
                HasSubstr("key 'a': is cut"));
    EXPECT_THAT(error_of(GgufBuilder().raw("a", GgufBuilder::list_head(GgufType::kString, length))),
                HasSubstr("key 'a': claims " + std::to_string(length) + " strings, at most "));
    for (const GgufType type : {GgufType::kU8, GgufType::kF32, GgufType::kF64}) {
      EXPECT_THAT(error_of(GgufBuilder().raw("a", GgufBuilder::list_head(type, length))),
                  HasSubstr("key 'a': claims " + std::to_string(length) + " values, at most "));
    }
  }
  EXPECT_THAT(error_of(GgufBuilder().raw(
                  "a", GgufBuilder::list_head(GgufType::kString, 1) + bytes_of(kMost))),
              HasSubstr("is cut"));
}

TEST(GgufMetadata, KeysThatAreEmptyLongOrTwiceThereAreRefused) {
  EXPECT_THAT(error_of(GgufBuilder().u32("", 1)), HasSubstr("key 0 has 0 bytes"));
  EXPECT_THAT(error_of(GgufBuilder().u32(std::string(65536, 'a'), 1)), HasSubstr("65536 bytes"));
  EXPECT_THAT(error_of(GgufBuilder().u32("a", 1).text("a", "x")),
              HasSubstr("the key 'a' stands twice"));
  std::string many =
      "GGUF" + bytes_of(uint32_t{3}) + bytes_of(uint64_t{0}) + bytes_of(uint64_t{100'001});
  many.resize(3'000'000);
  const auto result = header_of(ExactBytes(many));
  EXPECT_EQ(result.error().code(), Code::kExhausted);
}

TEST(GgufMetadata, BooleansOtherThanZeroAndOneAreRefused) {
  EXPECT_THAT(error_of(GgufBuilder().scalar("a", GgufType::kBool, uint8_t{2})),
              HasSubstr("key 'a': has a boolean other than 0 and 1"));
  EXPECT_THAT(error_of(GgufBuilder().list<uint8_t>("a", GgufType::kBool, {1, 0, 255})),
              HasSubstr("a boolean other than"));
}

TEST(GgufMetadata, EmptyListsAndStringsAreFine) {
  const std::string file =
      GgufBuilder().texts("a", {}).text("b", "").list<float>("c", GgufType::kF32, {}).file("");
  const ExactBytes bytes(file);
  const auto header = header_of(bytes);
  const GgufMetadata& metadata = header.value().metadata;
  EXPECT_TRUE(metadata.string_list_field("a").value().empty());
  EXPECT_EQ(metadata.string_field("b").value(), "");
  EXPECT_TRUE(metadata.float_list_field("c").value().empty());
  EXPECT_EQ(metadata.texts().at("a"), "[]");
}

}  // namespace
}  // namespace quintet::io
