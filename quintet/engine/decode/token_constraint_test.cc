#include "quintet/engine/decode/token_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

namespace quintet::decode {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

// Every byte, pieces of JSON as real vocabularies have them, and an end token without bytes.
std::vector<std::string> small_vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* text :
       {"{\"",    "\":",    "\": ",  "\": \"",       "\",",   "\", \"",   "\"}",
        "\"]",    "\"},",   "},",    "}]",           "]}",    "[]",       "{}",
        "[\"",    "[{\"",   ", ",    ",\n",          "\n  ",  "  ",       "        ",
        "true",   "false",  "null",  "tr",           "ue",    "12",       "0.5",
        "-1",     "1e",     "name",  "na",           "me\"",  "age",      "kind",
        "hello",  " world", "\\n",   "\\\"",         "\\u00", "\xc3\xa9", "\xf0\x9f\x99",
        "\x82\"", "id\":",  "{\"id", "a\",\"b\":\"c"}) {
    tokens.emplace_back(text);
  }
  tokens.emplace_back();
  return tokens;
}

std::shared_ptr<const VocabularyTrie> trie_of(const std::vector<std::string>& tokens) {
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const VocabularyTrie>(views);
}

JsonGrammar compiled(const Json& schema) {
  auto grammar = JsonGrammar::compile(schema);
  EXPECT_TRUE(grammar.has_value()) << grammar.error().message();
  return *std::move(grammar);
}

const std::vector<Json>& schemas() {
  static const std::vector<Json> kSchemas = {
      Json(true),
      Json::parse(
          R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer",
        "minimum": 0, "maximum": 150}, "kind": {"enum": ["a", "hello world", "hello", null, 12, 120]}},
        "required": ["name", "kind"]})"),
      Json::parse(
          R"({"type": "array", "items": {"anyOf": [{"type": "object", "properties": {"id": {"const": "x"},
        "v": {"type": "number"}}, "required": ["id", "v"]}, {"type": "object", "properties": {"id": {"const": "y"},
        "w": {"type": ["string", "null"], "maxLength": 5}}, "required": ["id"]}]}, "minItems": 1, "maxItems": 4})"),
      Json::parse(
          R"({"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 20}})"),
      Json::parse(
          R"({"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"na\"me\n": {"type": "boolean"},
        "kids": {"type": "array", "items": {"$ref": "#/$defs/t"}, "maxItems": 2}}, "required": ["na\"me\n"],
        "additionalProperties": {"type": "null"}}}})"),
      Json::parse(
          R"({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": {"type": "boolean"},
        "minItems": 2})"),
  };
  return kSchemas;
}

// What the schemas above say, checked on the parsed value: written without a look at the grammar.
bool satisfies(const Json& value, const Json& schema, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref")) return satisfies(value, root["$defs"]["t"], root);
  if (schema.contains("anyOf")) {
    return std::ranges::any_of(schema["anyOf"],
                               [&](const Json& s) { return satisfies(value, s, root); });
  }
  if (schema.contains("const")) return value == schema["const"];
  if (schema.contains("enum"))
    return std::ranges::find(schema["enum"], value) != schema["enum"].end();
  const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
  const bool typed = std::ranges::any_of(types, [&](const Json& type) {
    if (type == "integer") return value.is_number_integer();
    return type == "number" ? value.is_number() : type == value.type_name();
  });
  if (!typed) return false;
  if (value.is_number() && schema.contains("maximum"))
    return value >= schema["minimum"] && value <= schema["maximum"];
  if (value.is_string()) {
    const auto characters = std::ranges::count_if(value.get_ref<const std::string&>(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    });
    return characters >= schema.value("minLength", 0) &&
           characters <= schema.value("maxLength", 1 << 20);
  }
  if (value.is_array()) {
    const auto size = static_cast<int>(value.size());
    if (size < schema.value("minItems", 0) || size > schema.value("maxItems", 1 << 20))
      return false;
    const Json prefix = schema.value("prefixItems", Json::array());
    for (size_t i = 0; i < value.size(); ++i) {
      if (!satisfies(value[i], i < prefix.size() ? prefix[i] : schema["items"], root)) return false;
    }
  }
  if (value.is_object()) {
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, inner] : value.items()) {
      const bool named = properties.contains(name);
      if (!named && !schema.contains("additionalProperties")) return false;
      if (!satisfies(inner, named ? properties[name] : schema["additionalProperties"], root))
        return false;
    }
  }
  return true;
}

// A text of random tokens; those that close something are likelier, so that it ends.
std::string random_text(TokenConstraint& constraint, const std::vector<std::string>& tokens,
                        int32_t end, std::mt19937& random) {
  std::string text;
  for (int step = 0; step < 4000; ++step) {
    std::vector<float> logits(tokens.size(), 0.0f);
    const auto masked = constraint.mask(logits);
    EXPECT_TRUE(masked.has_value()) << text << "\n" << masked.error().message();
    if (!masked) return text;
    std::vector<int32_t> allowed;
    std::vector<int32_t> closing;
    for (size_t i = 0; i < logits.size(); ++i) {
      if (!std::isfinite(logits[i])) continue;
      allowed.push_back(static_cast<int32_t>(i));
      if (tokens[i].find_first_of("\"]}") != std::string::npos)
        closing.push_back(static_cast<int32_t>(i));
    }
    const bool closes = !closing.empty() && random() % 3 == 0;
    int32_t token =
        closes ? closing[random() % closing.size()] : allowed[random() % allowed.size()];
    if (!closes && step > 200 && constraint.allows(end)) token = end;
    EXPECT_TRUE(constraint.accept(token).has_value());
    if (token == end) return text;
    text += tokens[static_cast<size_t>(token)];
  }
  return "";
}

TEST(TokenConstraint, RandomTokensMakeTextsThatSatisfyTheSchema) {
  const auto tokens = small_vocabulary();
  const auto end = static_cast<int32_t>(tokens.size() - 1);
  const auto trie = trie_of(tokens);
  std::mt19937 random(7);
  int ended = 0;
  for (const Json& schema : schemas()) {
    const JsonGrammar grammar = compiled(schema);
    for (int round = 0; round < 60; ++round) {
      TokenConstraint constraint(trie, grammar, {end});
      const std::string text = random_text(constraint, tokens, end, random);
      if (text.empty()) continue;  // Did not end in time.
      ++ended;
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text;
      EXPECT_TRUE(satisfies(value, schema, schema)) << schema << "\n" << text;
    }
  }
  EXPECT_GT(ended, 250);
}

TEST(TokenConstraint, MaskAllowsExactlyWhatTheStateAccepts) {
  const auto tokens = small_vocabulary();
  const auto end = static_cast<int32_t>(tokens.size() - 1);
  const auto trie = trie_of(tokens);
  std::mt19937 random(3);
  for (const Json& schema : schemas()) {
    TokenConstraint constraint(trie, compiled(schema), {end});
    for (int step = 0; step < 150 && !constraint.is_finished(); ++step) {
      std::vector<float> logits(tokens.size() + 70, 0.0f);
      ASSERT_TRUE(constraint.mask(logits).has_value());
      std::vector<int32_t> allowed;
      for (size_t i = 0; i < logits.size(); ++i) {
        bool expected = i < tokens.size() && !tokens[i].empty();
        if (expected) {
          JsonState state = constraint.state();
          expected = state.accept(tokens[i]);
        }
        if (static_cast<int32_t>(i) == end) expected = constraint.state().can_end();
        ASSERT_EQ(std::isfinite(logits[i]), expected) << schema << " token " << i;
        if (expected) allowed.push_back(static_cast<int32_t>(i));
      }
      ASSERT_TRUE(constraint.accept(allowed[random() % allowed.size()]).has_value());
    }
  }
}

TEST(TokenConstraint, EndTokenComesWhereTheTextIsWholeAndNothingAfterIt) {
  const auto tokens = small_vocabulary();
  const auto end = static_cast<int32_t>(tokens.size() - 1);
  TokenConstraint constraint(trie_of(tokens), compiled(Json{{"type", "integer"}}), {end, 'x'});
  EXPECT_FALSE(constraint.allows(end));
  EXPECT_FALSE(constraint.accept(end).has_value());
  ASSERT_TRUE(constraint.accept('4').has_value());
  EXPECT_TRUE(constraint.allows(end));
  EXPECT_TRUE(constraint.allows('x'));
  EXPECT_THAT(constraint.accept('a').error().message(), HasSubstr("token 97"));
  EXPECT_FALSE(constraint.allows(-1));
  EXPECT_FALSE(constraint.allows(9999));
  ASSERT_TRUE(constraint.accept(end).has_value());
  std::vector<float> logits(tokens.size(), 1.0f);
  ASSERT_TRUE(constraint.mask(logits).has_value());
  EXPECT_EQ(std::ranges::count_if(logits, [](float x) { return std::isfinite(x); }), 2);
}

TEST(TokenConstraint, DeadEndIsReported) {
  const std::vector<std::string> tokens = {"a", "b", ""};
  TokenConstraint constraint(trie_of(tokens), compiled(Json{{"type", "integer"}}), {2});
  std::vector<float> logits(3, 0.0f);
  EXPECT_EQ(constraint.mask(logits).error().code(), Code::kUnsupported);
}

TEST(TokenConstraint, TokensOfTheSameBytesAreAllAllowed) {
  const std::vector<std::string> tokens = {"1", "", "1", std::string(300, '1')};
  TokenConstraint constraint(trie_of(tokens), compiled(Json{{"type", "integer"}}), {1});
  std::vector<float> logits(4, 0.0f);
  ASSERT_TRUE(constraint.mask(logits).has_value());
  EXPECT_TRUE(std::isfinite(logits[0]));
  EXPECT_TRUE(std::isfinite(logits[2]));
  EXPECT_FALSE(std::isfinite(logits[3]));
}

}  // namespace
}  // namespace quintet::decode
