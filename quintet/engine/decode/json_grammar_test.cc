#include "quintet/engine/decode/json_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "quintet/engine/decode/json_state.h"

namespace quintet::decode {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

JsonGrammar compiled(const std::string& schema) {
  auto grammar = JsonGrammar::compile(Json::parse(schema));
  EXPECT_TRUE(grammar.has_value()) << schema << "\n" << grammar.error().message();
  return *std::move(grammar);
}

bool accepts(const JsonGrammar& grammar, const std::string& text) {
  JsonState state(grammar);
  return state.accept(text) && state.can_end();
}

void expect_texts(const std::string& schema, const std::vector<std::string>& good,
                  const std::vector<std::string>& bad) {
  const JsonGrammar grammar = compiled(schema);
  for (const std::string& text : good)
    EXPECT_TRUE(accepts(grammar, text)) << schema << "\n" << text;
  for (const std::string& text : bad)
    EXPECT_FALSE(accepts(grammar, text)) << schema << "\n" << text;
}

void expect_error(const std::string& schema, Code code, const std::string& part) {
  const auto grammar = JsonGrammar::compile(Json::parse(schema));
  ASSERT_FALSE(grammar.has_value()) << schema;
  EXPECT_EQ(grammar.error().code(), code) << grammar.error().message();
  EXPECT_THAT(grammar.error().message(), HasSubstr(part));
  EXPECT_THAT(grammar.error().message(), Not(HasSubstr("\n")));
}

TEST(JsonGrammar, AnyValueIsAnyJson) {
  expect_texts("true",
               {"null", "true", "0", "-1.5e+10", "\"a\\n\\u00e9\"", "[]", "[1, [2,\n\t3]]", "{}",
                "{\"a\": {\"b\":[]}, \"c\":null }", "\"\xc3\xa9\xf0\x9f\x99\x82\""},
               {"",
                " 1",
                "1 ",
                "nul",
                "01",
                "1.",
                "-",
                ".5",
                "1e",
                "[1,]",
                "[,1]",
                "{\"a\"}",
                "{a:1}",
                "{\"a\":1,}",
                "{\"a\":1,\"a\":2}",
                "\"a",
                "\"\n\"",
                "\"\\x\"",
                "\"\\ud800\"",
                "\"\xff\"",
                "\"\xc0\xaf\"",
                "\"\xed\xa0\x80\"",
                "[1 2]",
                "1234567890123456789",
                "'a'"});
}

TEST(JsonGrammar, TypesAreTakenAtTheirWord) {
  expect_texts(R"({"type": "integer"})", {"0", "-7", "42"}, {"1.0", "1e2", "\"1\"", "00", "+1"});
  expect_texts(R"({"type": "number"})", {"1.25", "1e2", "-0.5E-07"}, {"1.e2", "1e123"});
  expect_texts(R"({"type": ["string", "null"]})", {"\"\"", "null"}, {"0", "[]"});
  expect_texts(R"({"type": "boolean", "title": "T", "default": 5})", {"true", "false"}, {"0"});
  expect_texts(R"({"enum": ["a", "ab", 1, 12, null, {"k": [1]}]})",
               {"\"a\"", "\"ab\"", "1", "12", "null", "{\"k\":[1]}"},
               {"\"abc\"", "2", "123", "{}"});
  expect_texts(R"({"type": "string", "enum": ["a", 1]})", {"\"a\""}, {"1"});
  expect_texts(R"({"const": "x\"y"})", {R"("x\"y")"}, {"\"x\""});
}

TEST(JsonGrammar, BoundsOfNumbersAreKept) {
  expect_texts(R"({"type": "integer", "minimum": -2, "exclusiveMaximum": 12})",
               {"-2", "-1", "0", "1", "9", "11"}, {"-3", "12", "111", "-0"});
  expect_texts(R"({"type": "integer", "minimum": 0})", {"0", "5"}, {"-1"});
  expect_texts(R"({"type": "integer", "exclusiveMinimum": 0})", {"1", "10"}, {"0", "-1"});
  expect_texts(R"({"type": "number", "minimum": 0})", {"0", "0.5"}, {"-0.5"});
  expect_error(R"({"type": "number", "maximum": 5})", Code::kUnsupported, "'maximum' at '#'");
  expect_error(R"({"type": "integer", "minimum": 7})", Code::kUnsupported, "'minimum' at '#'");
  expect_error(R"({"type": "integer", "minimum": 7, "maximum": 3})", Code::kInvalidArgument,
               "maximum");
}

TEST(JsonGrammar, LengthsAreCountedInCharacters) {
  expect_texts(R"({"type": "string", "minLength": 2, "maxLength": 3})",
               {"\"ab\"", "\"abc\"", "\"\xc3\xa9\xf0\x9f\x99\x82\"", "\"\\u00e9\\n\\\"\""},
               {"\"a\"", "\"abcd\"", "\"\xc3\xa9\""});
}

TEST(JsonGrammar, PropertiesComeInOrderAndRequiredOnesAreThere) {
  expect_texts(R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "null"},
                   "ab": true}, "required": ["a"]})",
               {"{\"a\":null}", "{ \"b\": 1, \"a\": null }", "{\"a\":null,\"ab\":[]}"},
               {"{}", "{\"b\":1}", "{\"a\":null,\"b\":1}", "{\"a\":null,\"c\":1}", "{\"a\":1}",
                "{\"ab\":1,\"a\":null}"});
}

TEST(JsonGrammar, OtherPropertiesFollowTheirRuleAndNeverRepeat) {
  expect_texts(R"({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["r"],
                   "additionalProperties": {"type": "integer"}})",
               {"{\"r\":1}", "{\"a\":null,\"r\":2,\"x\":3,\"y\":4}"},
               {"{\"x\":3,\"r\":1}", "{\"r\":1,\"r\":1}", "{\"r\":1,\"a\":1}",
                "{\"r\":1,\"x\":1,\"x\":2}", "{\"r\":1,\"x\":null}"});
  expect_texts(R"({"type": "object", "additionalProperties": false})", {"{}", "{ }"},
               {"{\"a\":1}"});
}

TEST(JsonGrammar, ListsHaveTheirItems) {
  expect_texts(R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
               {"[1]", "[1, 2,3]"}, {"[]", "[1,2,3,4]", "[null]"});
  expect_texts(R"({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": false})",
               {"[]", "[1]", "[1,2]"}, {"[2]", "[1,2,3]"});
  expect_texts(R"({"prefixItems": [{"const": 1}], "items": {"const": 0}, "minItems": 2})",
               {"[1,0]", "[1,0,0,0]"}, {"[1]", "[1,1]"});
}

TEST(JsonGrammar, AlternativesAreFollowedTogether) {
  expect_texts(
      R"({"anyOf": [{"type": "object", "properties": {"k": {"const": "a"}, "x": {"type": "integer"}},
                                "required": ["k", "x"]},
                               {"type": "object", "properties": {"k": {"const": "b"}, "y": {"type": "null"}},
                                "required": ["k", "y"]}]})",
      {"{\"k\":\"a\",\"x\":1}", "{\"k\":\"b\",\"y\":null}"},
      {"{\"k\":\"a\",\"y\":null}", "{\"k\":\"b\",\"x\":1}", "{\"k\":\"c\"}"});
  expect_texts(
      R"({"type": "object", "properties": {"v": {"oneOf": [{"type": "integer"}, {"type": "number"}]}},
                   "required": ["v"]})",
      {"{\"v\":1}", "{\"v\":1.5}", "{\"v\":1 }"}, {"{\"v\":null}"});
  expect_texts(
      R"({"properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}, {"properties": {"b": {"const": 1}}}]})",
      {"{\"a\":1}", "{}", "{\"b\":1}"}, {"{\"c\":1}"});
}

TEST(JsonGrammar, PartsThatHoldTogetherAreMerged) {
  expect_texts(
      R"({"$defs": {"base": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}},
                   "allOf": [{"$ref": "#/$defs/base"}, {"properties": {"id": {"maximum": 3, "minimum": 1}, "n": {"type": "null"}},
                   "required": ["n"]}], "description": "d"})",
      {"{\"id\":3,\"n\":null}"}, {"{\"id\":4,\"n\":null}", "{\"id\":3}", "{\"n\":null}"});
  expect_error(R"({"allOf": [{"type": "integer"}, {"type": "string"}]})", Code::kInvalidArgument,
               "'type'");
  expect_error(R"({"allOf": [{"const": 1}, {"const": 2}]})", Code::kUnsupported, "'const'");
  expect_error(
      R"({"allOf": [{"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}]})",
      Code::kUnsupported, "additionalProperties");
}

TEST(JsonGrammar, ReferencesMayComeBackToThemselves) {
  expect_texts(R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {
                   "v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                   "required": ["v"]}}})",
               {"{\"v\":1}", "{\"v\":1,\"kids\":[{\"v\":2},{\"v\":3,\"kids\":[]}]}"},
               {"{\"v\":1,\"kids\":[{}]}"});
  expect_texts(R"({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]})",
               {"null", "[[],[null]]"}, {"1", "[1]"});
  expect_texts(R"({"properties": {"next": {"$ref": "#"}}})", {"{}", "{\"next\":{\"next\":{}}}"},
               {"{\"next\":1}"});
}

TEST(JsonGrammar, WhatIsNotKnownIsNamed) {
  expect_error(R"({"type": "object", "properties": {"a": {"type": "string", "pattern": "^a$"}}})",
               Code::kUnsupported, "'pattern' at '#/properties/a'");
  for (const char* keyword :
       {"not", "if", "format", "multipleOf", "uniqueItems", "patternProperties", "x-note"}) {
    expect_error(Json{{"type", "string"}, {keyword, "x"}}.dump(), Code::kUnsupported, keyword);
  }
  expect_error(R"({"$ref": "https://example.org/x"})", Code::kUnsupported, "must point inside");
  expect_error(R"({"$ref": "#/$defs/none"})", Code::kUnsupported, "'#/$defs/none'");
  expect_error(R"({"enum": ["a"], "minLength": 1})", Code::kUnsupported, "beside 'enum'");
}

TEST(JsonGrammar, MalformedSchemasAreRefused) {
  expect_error("5", Code::kInvalidArgument, "must be an object");
  expect_error("false", Code::kInvalidArgument, "allows no value");
  expect_error(R"({"type": "strin"})", Code::kInvalidArgument, "'type' at '#'");
  expect_error(R"({"type": []})", Code::kInvalidArgument, "'type'");
  expect_error(R"({"enum": []})", Code::kInvalidArgument, "'enum'");
  expect_error(R"({"anyOf": {}})", Code::kInvalidArgument, "'anyOf'");
  expect_error(R"({"properties": []})", Code::kInvalidArgument, "'properties'");
  expect_error(R"({"required": [1]})", Code::kInvalidArgument, "'required'");
  expect_error(R"({"type": "string", "minLength": -1})", Code::kInvalidArgument, "'minLength'");
  expect_error(R"({"type": "string", "minLength": 3, "maxLength": 2})", Code::kInvalidArgument,
               "'maxLength'");
  expect_error(R"({"prefixItems": [true], "items": false, "minItems": 2})", Code::kInvalidArgument,
               "'minItems'");
  expect_error(R"({"$ref": 5})", Code::kInvalidArgument, "'$ref'");
}

TEST(JsonGrammar, ValuesThatNeverEndAreRefused) {
  expect_error(R"({"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]})",
               Code::kInvalidArgument, "never end");
  expect_error(R"({"$ref": "#"})", Code::kInvalidArgument, "never end");
  expect_error(R"({"anyOf": [{"$ref": "#"}]})", Code::kInvalidArgument, "never end");
  expect_error(R"({"allOf": [{"$ref": "#"}]})", Code::kExhausted, "limit");
  // An alternative that never ends is left out, and an optional property as well.
  expect_texts(
      R"({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}], "$defs": {"x": {"properties": {"x": {"$ref": "#/$defs/x"}}, "required": ["x"]}}})",
      {"null"}, {"{\"x\":"});
}

std::string numbered(const char* name, int i) {
  return std::string(name).append(std::to_string(i));
}

std::string chain(int length, const std::string& link) {
  Json definitions = Json::object();
  for (int i = 0; i < length; ++i) {
    std::string text = link;
    const std::string next = numbered("#/$defs/d", i + 1);
    for (size_t at = 0; (at = text.find("NEXT", at)) != std::string::npos;)
      text.replace(at, 4, next);
    definitions[numbered("d", i)] = Json::parse(text);
  }
  definitions[numbered("d", length)] = {{"type", "null"}};
  return Json{{"$ref", "#/$defs/d0"}, {"$defs", definitions}}.dump();
}

TEST(JsonGrammar, SchemasThatExplodeAreRefused) {
  // Each level of values has two of the next: 2^30 of them.
  expect_error(
      chain(
          30,
          R"({"properties": {"a": {"$ref": "NEXT"}, "b": {"$ref": "NEXT"}}, "required": ["a", "b"]})"),
      Code::kExhausted, "shortest value");
  // Each level of alternatives multiplies those of the next.
  expect_error(
      chain(30, R"({"properties": {"NEXT": {}}, "anyOf": [{"$ref": "NEXT"}, {"$ref": "NEXT"}]})"),
      Code::kExhausted, "limit");
  expect_error(chain(40, R"({"allOf": [{"$ref": "NEXT"}, {"$ref": "NEXT"}]})"), Code::kExhausted,
               "steps");
  expect_error(R"({"type": "array", "minItems": 1000000})", Code::kExhausted, "shortest value");
  expect_error(R"({"type": "string", "minLength": 1000000})", Code::kExhausted, "shortest value");
  expect_error(chain(200, R"({"items": {"$ref": "NEXT"}})"), Code::kExhausted, "nested deeper");
  Json many = Json::array();
  for (int i = 0; i < 100; ++i) many.push_back({{"type", "array"}, {"maxItems", i}});
  expect_error(Json{{"anyOf", many}}.dump(), Code::kExhausted, "alternatives");
  Json deep = true;
  for (int i = 0; i < 2000; ++i) deep = {{"items", std::move(deep)}};
  EXPECT_EQ(JsonGrammar::compile(deep).error().code(), Code::kExhausted);
  Json wide = Json::object();
  for (int i = 0; i < 20000; ++i) wide[numbered("p", i)] = {{"type", "string"}};
  EXPECT_EQ(JsonGrammar::compile(Json{{"properties", wide}}).error().code(), Code::kExhausted);
}

TEST(JsonGrammar, DepthOfValuesIsBoundedWithoutDeadEnds) {
  const JsonGrammar grammar = compiled(R"({"type": "array", "items": {"$ref": "#"}})");
  JsonState state(grammar);
  int depth = 0;
  while (state.accept("[")) ++depth;
  EXPECT_EQ(depth, 48);
  for (int i = 0; i < depth; ++i) EXPECT_TRUE(state.accept("]"));
  EXPECT_TRUE(state.can_end());
}

TEST(JsonState, WhiteSpaceIsBounded) {
  const JsonGrammar grammar = compiled("true");
  JsonState state(grammar);
  ASSERT_TRUE(state.accept("["));
  EXPECT_TRUE(state.accept(std::string(JsonState::kMaxSpaces, ' ')));
  EXPECT_FALSE(state.accept(" "));
  EXPECT_TRUE(state.accept("1"));
}

TEST(JsonState, WhatIsRefusedChangesNothing) {
  const JsonGrammar grammar = compiled(R"({"type": "integer"})");
  JsonState state(grammar);
  ASSERT_TRUE(state.accept("1"));
  const JsonState before = state;
  EXPECT_FALSE(state.accept("2x"));
  EXPECT_TRUE(state == before);
  EXPECT_EQ(state.hash(), before.hash());
  EXPECT_EQ(state.next_bytes().count(), 10u);
}

}  // namespace
}  // namespace quintet::decode
