#include "quintet/io/formats/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quintet/core/file.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

nlohmann::json parsed(std::string_view text) { return parse_json(text, "test").value(); }

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto result = parse_json(text, "test", limits);
  EXPECT_FALSE(result) << text;
  return result ? "" : result.error().message();
}

TEST(Json, BuildsTheDocumentThatTheTextDescribes) {
  constexpr std::string_view kText =
      R"({"a":[1,-2,3.5,true,false,null,"x\u00e9"],"b":{"c":[],"d":{}},"e":18446744073709551615})";
  EXPECT_EQ(parsed(kText), nlohmann::json::parse(kText));
  EXPECT_EQ(parsed("  7 "), 7);
}

TEST(Json, ErrorsNameTheDocumentAndTheByteInOneLine) {
  EXPECT_THAT(error_of("{\"a\": 1,}"), HasSubstr("test: not valid JSON at byte 9: syntax error"));
  EXPECT_THAT(error_of("[1, 2"), HasSubstr("at byte"));
  EXPECT_THAT(error_of(""), HasSubstr("at byte"));
  EXPECT_THAT(error_of("[1]\n\n2"), Not(HasSubstr("\n")));
  EXPECT_THAT(error_of("\"\xff\""), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of("[1e999]"), HasSubstr("at byte"));
  EXPECT_LT(error_of("\"" + std::string(100000, 'x')).size(), 300u);
}

TEST(Json, TextPastTheLimitsIsRefused) {
  EXPECT_THAT(error_of("[1, 2, 3]", {.max_bytes = 8}), HasSubstr("limit of 8"));
  EXPECT_TRUE(parse_json("[1, 2, 3]", "test", {.max_bytes = 9, .max_values = 4}));
  EXPECT_THAT(error_of("[1, 2, 3]", {.max_values = 3}), HasSubstr("more than 3 values"));
  EXPECT_TRUE(parse_json("[[{\"a\":1}]]", "test", {.max_depth = 3}));
  EXPECT_THAT(error_of("[[{\"a\":[]}]]", {.max_depth = 3}), HasSubstr("deeper than 3"));
}

TEST(Json, MillionsOfOpenBracketsStopAtTheDepthLimit) {
  EXPECT_THAT(error_of(std::string(10'000'000, '[')), HasSubstr("deeper than 64"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(error_of(objects), HasSubstr("deeper than 64"));
}

TEST(Json, RepeatedKeysAreRefused) {
  EXPECT_THAT(error_of(R"({"a":1,"b":{"a":2},"a":3})"), HasSubstr("'a' stands twice"));
  EXPECT_TRUE(parse_json(R"({"a":1,"b":{"a":2}})", "test"));
}

TEST(Json, FilesAreReadWithTheirLimit) {
  const testing::TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "config.json", R"({"heads": 8})"));
  EXPECT_EQ(read_json_file(folder / "config.json").value()["heads"], 8);
  const auto large = read_json_file(folder / "config.json", {.max_bytes = 5});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), Code::kExhausted);
  const auto missing = read_json_file(folder / "none.json");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
}

TEST(JsonFields, GiveTheValueOfTheirType) {
  const auto object =
      parsed(R"({"i":-3,"n":1e-5,"b":true,"s":"text","list":[1,2],"names":["x","y"],"o":{"k":1}})");
  EXPECT_EQ(int_field(object, "i").value(), -3);
  EXPECT_EQ(number_field(object, "n").value(), 1e-5);
  EXPECT_EQ(number_field(object, "i").value(), -3.0);
  EXPECT_TRUE(bool_field(object, "b").value());
  EXPECT_EQ(string_field(object, "s").value(), "text");
  EXPECT_THAT(int_list_field(object, "list").value(), ElementsAre(1, 2));
  EXPECT_THAT(string_list_field(object, "names").value(), ElementsAre("x", "y"));
  EXPECT_EQ(*object_field(object, "o").value(), parsed(R"({"k":1})"));
}

TEST(JsonFields, FallbackStandsForMissingAndNullButNotForOtherTypes) {
  const auto object = parsed(R"({"z":null,"s":"text"})");
  EXPECT_EQ(int_field(object, "none", 7).value(), 7);
  EXPECT_EQ(int_field(object, "z", 7).value(), 7);
  EXPECT_EQ(number_field(object, "z", 0.5).value(), 0.5);
  EXPECT_TRUE(bool_field(object, "z", true).value());
  EXPECT_EQ(string_field(object, "z", "other").value(), "other");
  EXPECT_EQ(string_field(object, "s", "other").value(), "text");
  EXPECT_THAT(int_list_field(object, "none", {4}).value(), ElementsAre(4));
  EXPECT_EQ(optional_object_field(object, "z").value(), nullptr);
  EXPECT_FALSE(int_field(object, "s", 7));
  EXPECT_FALSE(optional_object_field(object, "s"));
}

TEST(JsonFields, ErrorsNameKeyExpectationAndFinding) {
  const auto object = parsed(R"({"s":"text","f":1.5,"big":9223372036854775808,"list":[1,"x"],
                                 "z":null})");
  const auto message = [&](const auto& result) { return result.error().message(); };
  EXPECT_EQ(message(int_field(object, "none")), "key 'none' is missing");
  EXPECT_EQ(message(int_field(object, "s")),
            "key 's': expected an integer of 64 bits, found string");
  EXPECT_EQ(message(int_field(object, "f")),
            "key 'f': expected an integer of 64 bits, found the number 1.5");
  EXPECT_THAT(message(int_field(object, "big")), HasSubstr("found the number 9223372036854775808"));
  EXPECT_THAT(message(int_field(object, "z")), HasSubstr("found null"));
  EXPECT_THAT(message(int_list_field(object, "list")), HasSubstr("found string"));
  EXPECT_THAT(message(bool_field(object, "s")), HasSubstr("expected true or false"));
  EXPECT_THAT(message(object_field(object, "none")), HasSubstr("expected an object"));
  EXPECT_THAT(message(int_field(parsed("[1]"), "s")), HasSubstr("in an object, found array"));
}

TEST(JsonText, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(json_text({{"a", 1}}).value(), R"({"a":1})");
  EXPECT_FALSE(json_text("\xff"));
}

}  // namespace
}  // namespace quintet::io
