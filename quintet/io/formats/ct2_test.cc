#include "quintet/io/formats/ct2.h"

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

std::string text_of(std::string_view text) {
  return bytes_of(static_cast<uint16_t>(text.size() + 1)) + std::string(text) + '\0';
}

std::string header_of(uint32_t version, uint32_t variables) {
  return bytes_of(version) + text_of("TestSpec") + bytes_of(uint32_t{1}) + bytes_of(variables);
}

std::string variable(std::string_view name, const std::vector<uint32_t>& shape, uint8_t type,
                     std::string_view data) {
  std::string out = text_of(name) + static_cast<char>(shape.size());
  for (const uint32_t dimension : shape) out += bytes_of(dimension);
  return out + static_cast<char>(type) + bytes_of(static_cast<uint32_t>(data.size())) +
         std::string(data);
}

std::string aliases(uint32_t count) { return bytes_of(count); }

std::string error_of(std::string_view file) {
  const ExactBytes bytes(file);
  const auto result = parse_ct2(bytes, "test");
  EXPECT_FALSE(result);
  return result ? "" : result.error().message();
}

std::string small_file(uint32_t version = 6) {
  return header_of(version, 2) + variable("num_heads", {}, 2, bytes_of(int16_t{-8})) +
         variable("w/weight", {2, 1}, 0, bytes_of(std::array<float, 2>{1.5f, -2.0f})) + aliases(1) +
         text_of("projection") + text_of("w/weight");
}

TEST(Ct2, ReadsVariablesScalarsAndAliases) {
  for (const uint32_t version : {5u, 6u}) {
    const ExactBytes bytes(small_file(version));
    const WeightFile file = parse_ct2(bytes, "test").value();
    EXPECT_EQ(file.format, "ct2");
    EXPECT_EQ(file.metadata.at("spec_name"), "TestSpec");
    EXPECT_EQ(file.metadata.at("spec_revision"), "1");
    EXPECT_EQ(file.metadata.at("binary_version"), std::to_string(version));
    EXPECT_EQ(scalar_int(*file.require("num_heads").value()).value(), -8);
    const TensorRef& alias = *file.require("projection").value();
    EXPECT_EQ(alias.bytes.data(), file.find("w/weight")->bytes.data());
    EXPECT_THAT(alias.shape, ElementsAre(2, 1));
    EXPECT_THAT(to_f32(alias).value(), ElementsAre(1.5f, -2.0f));
  }
}

TEST(Ct2, EveryTypeComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  const std::array<uint16_t, 4> words = {1, 0x3c00, 0xbf80, 0xffff};
  const auto bytes = std::as_bytes(std::span(words));
  const std::array<TensorEntry, 6> entries = {{
      {"f32", DType::kF32, {2}, bytes},
      {"i8", DType::kI8, {4, 2}, bytes},
      {"i16", DType::kI16, {2, 2}, bytes},
      {"i32", DType::kI32, {1, 2}, bytes},
      {"f16", DType::kF16, {4}, bytes},
      {"bf16", DType::kBF16, {4}, bytes},
  }};
  const std::array<Ct2Alias, 1> also = {{{"half", "f16"}}};
  ASSERT_TRUE(
      write_ct2(folder / "model.bin",
                {.spec_name = "S", .spec_revision = 9, .entries = entries, .aliases = also}));
  const WeightFile file = read_weights(folder.path()).value();
  EXPECT_EQ(file.tensors.size(), 7u);
  EXPECT_EQ(file.metadata.at("spec_revision"), "9");
  for (const TensorEntry& entry : entries) {
    const TensorRef& tensor = *file.require(entry.name).value();
    EXPECT_EQ(tensor.dtype, entry.dtype);
    EXPECT_EQ(tensor.shape, entry.shape);
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, bytes)) << entry.name;
  }
  EXPECT_EQ(to_f32(*file.find("half")).value()[1], 1.0f);
  EXPECT_EQ(to_f32(*file.find("bf16")).value()[2], -1.0f);
  EXPECT_THAT(folder.names(), ElementsAre("model.bin"));
}

TEST(Ct2, FileCutAnywhereIsRefused) {
  const std::string file = small_file();
  ASSERT_TRUE(parse_ct2(ExactBytes(file), "test"));
  for (size_t length = 0; length < file.size(); ++length) {
    const ExactBytes cut(std::string_view(file).substr(0, length));
    EXPECT_FALSE(parse_ct2(cut, "test")) << length;
  }
  EXPECT_THAT(error_of(file + "x"), HasSubstr("1 bytes after its end"));
}

TEST(Ct2, OtherVersionsAreNamed) {
  for (const uint32_t version : {0u, 4u, 7u, 0xffffffffu}) {
    const auto result = parse_ct2(ExactBytes(small_file(version)), "test");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kUnsupported);
    EXPECT_THAT(result.error().message(),
                HasSubstr("binary version " + std::to_string(version) + " cannot be read"));
  }
}

TEST(Ct2, ContradictionsAreRefused) {
  EXPECT_THAT(error_of(header_of(6, 1) + variable("a", {3}, 0, "12345678") + aliases(0)),
              HasSubstr("test: tensor 'a': has 8 bytes, but its shape [3] of F32 needs 12"));
  EXPECT_THAT(error_of(header_of(6, 1) + variable("a", {1}, 6, "1") + aliases(0)),
              HasSubstr("type 6, 0 to 5 are known"));
  EXPECT_THAT(
      error_of(header_of(6, 1) + variable("a", std::vector<uint32_t>(8, 0xffffffffu), 0, "1234") +
               aliases(0)),
      HasSubstr("needs more than 2^63"));
  EXPECT_THAT(
      error_of(header_of(6, 1) + variable("a", std::vector<uint32_t>(17, 1), 1, "1") + aliases(0)),
      HasSubstr("17 dimensions"));
  EXPECT_THAT(error_of(header_of(6, 2) + variable("a", {}, 1, "1") + variable("a", {}, 1, "1") +
                       aliases(0)),
              HasSubstr("'a' stands twice"));
  EXPECT_THAT(error_of(header_of(6, 0xffffffffu) + variable("a", {}, 1, "1")), HasSubstr("is cut"));
  EXPECT_THAT(error_of(header_of(6, 0) + aliases(1) + text_of("a") + text_of("b")),
              HasSubstr("alias 'a' names 'b', which is not in the file"));
  EXPECT_THAT(error_of(header_of(6, 1) + variable("a", {}, 1, "1") + aliases(1) + text_of("a") +
                       text_of("a")),
              HasSubstr("'a' stands twice"));
}

TEST(Ct2, NamesWithoutTheirNulAreRefused) {
  const std::string start = bytes_of(uint32_t{6});
  EXPECT_THAT(error_of(start + bytes_of(uint16_t{0})), HasSubstr("its only NUL"));
  EXPECT_THAT(error_of(start + bytes_of(uint16_t{3}) + "abc"), HasSubstr("its only NUL"));
  EXPECT_THAT(error_of(start + bytes_of(uint16_t{3}) + std::string("a\0\0", 3)),
              HasSubstr("its only NUL"));
}

TEST(Ct2, WhatTheFormatCannotSayIsNotWritten) {
  const TemporaryFolder folder;
  const std::array<int64_t, 1> number = {1};
  const auto bytes = std::as_bytes(std::span(number));
  const auto message = [&](std::vector<TensorEntry> entries, std::vector<Ct2Alias> also) {
    const auto result = write_ct2(folder / "model.bin", {.entries = entries, .aliases = also});
    return result ? std::string() : result.error().message();
  };
  EXPECT_THAT(message({{"a", DType::kI64, {1}, bytes}}, {}), HasSubstr("elements of I64"));
  EXPECT_THAT(message({{"a", DType::kF32, {1}, bytes}}, {}), HasSubstr("do not fit its shape"));
  EXPECT_THAT(message({{"a", DType::kF32, {2}, bytes}, {"a", DType::kF32, {2}, bytes}}, {}),
              HasSubstr("'a' stands twice"));
  EXPECT_THAT(message({{"a", DType::kF32, {2}, bytes}}, {{"b", "c"}}),
              HasSubstr("'c', which is not among the tensors"));
  EXPECT_THAT(message({{"a", DType::kF32, {2}, bytes}}, {{"a", "a"}}),
              HasSubstr("'a' stands twice"));
  EXPECT_THAT(message({{std::string(65535, 'a'), DType::kF32, {2}, bytes}}, {}),
              HasSubstr("too long"));
  EXPECT_THAT(folder.names(), ElementsAre());
}

}  // namespace
}  // namespace quintet::io
