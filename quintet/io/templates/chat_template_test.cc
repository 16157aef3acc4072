#include "quintet/io/templates/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quintet::io {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

Result<std::string> render(const std::string& source, const Json& context = Json::object(),
                           const TemplateLimits& limits = {}) {
  QT_TRY(const ChatTemplate parsed, ChatTemplate::parse(source, "t.jinja", limits));
  return parsed.render(context);
}

void expect_error(const std::string& source, Code code, const std::string& part,
                  const Json& context = Json::object(), const TemplateLimits& limits = {}) {
  const auto text = render(source, context, limits);
  ASSERT_FALSE(text.has_value()) << source << "\ngave " << text->substr(0, 200);
  EXPECT_EQ(text.error().code(), code) << text.error().message();
  EXPECT_THAT(text.error().message(), StartsWith("t.jinja:"));
  EXPECT_THAT(text.error().message(), HasSubstr(part));
  EXPECT_THAT(text.error().message(), Not(HasSubstr("\n")));
}

std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(ChatTemplate, KeysKeepTheirOrderInOrderedJsonAndAreSortedInTheOther) {
  const auto parsed = ChatTemplate::parse("{{ d | tojson }}", "t.jinja");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed->render(Json{{"d", {{"z", 1}, {"a", 2}}}}), R"({"z": 1, "a": 2})");
  EXPECT_EQ(*parsed->render(nlohmann::json{{"d", {{"z", 1}, {"a", 2}}}}), R"({"a": 2, "z": 1})");
}

TEST(ChatTemplate, ErrorsNameTemplateAndLine) {
  expect_error("a\nb\n{{ x.y }}", Code::kInvalidArgument, "t.jinja:3: 'x' is undefined");
  expect_error("a\n{% if x %}", Code::kCorrupt, "t.jinja:2: expected '{% endif %}'");
  expect_error("a\n\n{{ 1 +\n }}", Code::kCorrupt, "t.jinja:4: expected a value");
  expect_error("{% include 'x' %}", Code::kUnsupported, "t.jinja:1: the tag 'include'");
  expect_error("{{ 1 | groupby }}", Code::kUnsupported, "there is no filter 'groupby'");
  expect_error("{{ 1 is strange }}", Code::kUnsupported, "there is no test 'strange'");
  expect_error("{{ f(*a) }}", Code::kUnsupported, "'*'");
  expect_error("{{ '%s' % 1 }}", Code::kUnsupported, "'%' after a string");
  expect_error("{{ 99999999999999999999 }}", Code::kCorrupt, "64 bits");
}

TEST(ChatTemplate, WhatATemplateRaisesIsOneLine) {
  expect_error("\n{{ raise_exception('Roles must\\nalternate') }}", Code::kInvalidArgument,
               "t.jinja:2: the template refuses the conversation: 'Roles must\\x0aalternate'");
}

TEST(ChatTemplate, DateIsAskedOfTheCaller) {
  expect_error("{{ strftime_now('%Y') }}", Code::kInvalidArgument, "give it one");
  const auto parsed = ChatTemplate::parse("{{ strftime_now('%d %b %Y %I %p') }}", "t.jinja");
  const auto day = std::chrono::local_days(std::chrono::February / 29 / 2024);
  EXPECT_EQ(*parsed->render(Json::object(), day), "29 Feb 2024 12 AM");
  const auto wrong = ChatTemplate::parse("{{ strftime_now('%Q') }}", "t.jinja");
  EXPECT_THAT(wrong->render(Json::object(), day).error().message(), HasSubstr("'%Q'"));
}

TEST(ChatTemplate, LoopsEndAtTheLimitOfSteps) {
  expect_error("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
               Code::kExhausted, "steps");
  expect_error("{% for a in range(99999999) %}{% endfor %}", Code::kExhausted, "range");
  expect_error("{{ range(10) | map('string') | join }}", Code::kExhausted, "steps", Json::object(),
               {.steps = 20});
}

TEST(ChatTemplate, WorkOnLargeTextsCountsAsSteps) {
  const std::string loop =
      "{% set s = 'a' * 4000000 %}{% for a in range(9999) %}{% for b in range(9999) %}";
  const std::string end = "{% endfor %}{% endfor %}";
  for (const char* work : {"s.startswith(s)", "s.find('b')", "'b' in s", "s == s ~ ''",
                           "s.split('a')", "s.rsplit('b')", "s.strip(s)", "s | length", "s[1]",
                           "s | tojson", "s.count('aab')", "s | first"}) {
    expect_error(loop + "{{ " + work + " and '' }}" + end, Code::kExhausted, "limit");
  }
  // Searches that go back and forth in std::string take hours.
  const std::string hard =
      "{{ ('a' * 2000000 ~ 'b' ~ 'a' * 2000000).rfind('a' * 1000000 ~ 'c') }}"
      "{{ ('a' * 2000000).find('a' * 1000000 ~ 'b') }}";
  EXPECT_EQ(*render(hard), "-1-1");
}

TEST(ChatTemplate, NamesThatAreSoughtCountAsSteps) {
  std::string source;
  for (int i = 0; i < 5000; ++i) source += "{% set v" + std::to_string(i) + "=1 %}";
  expect_error(
      source +
          "{% for a in range(9999) %}{% for b in range(9999) %}{{ w }}{% endfor %}{% endfor %}",
      Code::kExhausted, "steps");
}

TEST(ChatTemplate, MacrosThatRecurseEndAtTheLimitOfDepth) {
  expect_error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", Code::kExhausted, "recurses");
  expect_error(
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ [a()] }}{% endmacro %}"
      "{{ a() }}",
      Code::kExhausted, "recurses");
  expect_error("{% macro m(x=m()) %}{% endmacro %}{{ m() }}", Code::kExhausted, "recurses");
}

TEST(ChatTemplate, ValuesThatGrowEndAtTheLimitOfSize) {
  expect_error("{{ 'abcdefgh' * 99999999 }}", Code::kExhausted, "bytes");
  expect_error("{{ [1] * 999999999999 }}", Code::kExhausted, "bytes");
  expect_error(
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}"
      "{% set ns.s = ns.s + ns.s %}{% endfor %}",
      Code::kExhausted, "bytes");
  expect_error(
      "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}"
      "{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
      Code::kExhausted, "limit");
  expect_error(
      "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}"
      "{% set ns.s = ns.s | replace('x', 'xxxxxxxxxxxxxxxx') %}{% endfor %}",
      Code::kExhausted, "bytes");
  expect_error("{{ 'a\nb' | indent(999999999) }}", Code::kExhausted, "bytes");
  expect_error("{{ [[[1]]] | tojson(indent=9000000) }}", Code::kExhausted, "bytes");
}

TEST(ChatTemplate, ValuesThatNestEndAtTheLimitOfDepth) {
  expect_error(
      "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}"
      "{% set ns.s = [ns.s] %}{% endfor %}",
      Code::kExhausted, "nests values deeper than 100");
  Json deep = Json::array();
  for (int i = 0; i < 300; ++i) deep = Json::array({std::move(deep)});
  expect_error("{{ d }}", Code::kExhausted, "nests values", {{"d", std::move(deep)}});
}

TEST(ChatTemplate, OutputEndsAtItsLimit) {
  expect_error("{% for i in range(9999) %}0123456789abcdef{% endfor %}", Code::kExhausted,
               "writes more than 1000 bytes", Json::object(), {.output_bytes = 1000});
}

TEST(ChatTemplate, TemplatesThatNestAreRefusedBeforeTheyRun) {
  expect_error("{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", Code::kExhausted,
               "nested deeper");
  expect_error("{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}", Code::kExhausted,
               "nested deeper");
  expect_error("{{ " + repeated("- ", 5000) + "1 }}", Code::kExhausted, "nested deeper");
  expect_error("{{ " + repeated("not ", 5000) + "1 }}", Code::kExhausted, "nested deeper");
  expect_error(repeated("{% if 1 %}", 5000), Code::kExhausted, "nested deeper");
  expect_error("{{ 1" + repeated(" + 1", 5000) + " }}", Code::kExhausted, "operations");
  expect_error("{{ a" + repeated(".b", 5000) + " }}", Code::kExhausted, "operations");
  expect_error("{{ a" + repeated("|trim", 5000) + " }}", Code::kExhausted, "operations");
  expect_error("{{ a" + repeated(" if 1", 5000) + " }}", Code::kExhausted, "operations");
  expect_error("{{ 1 if 1" + repeated(" else 1 if 1", 5000) + " }}", Code::kExhausted, "nested");
  expect_error("{{ m(" + repeated("1, ", 500) + ") }}", Code::kExhausted, "arguments");
  expect_error(std::string(300'000, 'x'), Code::kExhausted, "bytes");
  // What is long without nesting is fine.
  EXPECT_TRUE(render("{% if 0 %}" + repeated("{% elif 0 %}", 5000) + "{% endif %}").has_value());
  EXPECT_TRUE(render("{{ " + repeated("'x' ~ ", 5000) + "'x' }}").has_value());
}

TEST(ChatTemplate, NamespacesThatHoldThemselvesAreFreedAndPrinted) {
  EXPECT_EQ(*render("{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me }}"),
            "[<a namespace>]");
}

TEST(ChatTemplate, MacrosAndLoopsMayOutliveTheirScope) {
  EXPECT_EQ(*render("{% set ns = namespace() %}{% for i in [1, 2] %}"
                    "{% macro m() %}x{{ i }}{% endmacro %}{% set ns.m = m %}{% set ns.l = loop %}"
                    "{% endfor %}{{ ns.m() }}{{ ns.l.index }}{{ ns.l.last }}"),
            "x2True");
}

TEST(ChatTemplate, BytesThatAreNoTextComeBackAsTheyAre) {
  EXPECT_EQ(*render("{{ s[1:] | upper | trim }}", {{"s", "a\xff b\xc3"}}), "\xff B\xc3");
}

TEST(RenderChat, GivesTheTemplateWhatTransformersGivesIt) {
  const auto parsed = ChatTemplate::parse(
      "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
      "{{ tools is none }}{{ documents is none }}{{ eos_token is defined }}"
      "{{ 'go' if add_generation_prompt }}{{ enable_thinking }}",
      "t.jinja");
  ASSERT_TRUE(parsed.has_value());
  const std::vector<ChatMessage> messages = {{"user", "Hi"}, {"assistant", "Yes"}};
  ChatOptions options;
  options.bos_token = "<s>";
  options.variables = {{"enable_thinking", false}};
  EXPECT_EQ(*render_chat(*parsed, messages, options),
            "<s>user:Hi;assistant:Yes;TrueTrueFalsegoFalse");
  options.variables = 5;
  EXPECT_FALSE(render_chat(*parsed, messages, options).has_value());
}

}  // namespace
}  // namespace quintet::io
