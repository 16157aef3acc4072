#include "quintet/io/tokenizers/text_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quintet::io {
namespace {

using testing::ElementsAre;

std::string normalized(const std::vector<Normalizer>& rules, std::string_view text) {
  return TextNormalizer::compile(rules).value().normalized(text);
}

std::vector<std::string> words(const std::vector<PreTokenizer>& rules, const TextSection& section) {
  std::vector<std::string> out;
  const WordSplitter splitter = WordSplitter::compile(rules).value();
  splitter.split(section, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

TEST(TextRules, NormalizeOneAfterTheOther) {
  EXPECT_EQ(
      normalized({PrefixRule{.text = "_"}, ReplaceRule{"_", PatternSyntax::kLiteral, "-"}}, "a_b"),
      "-a-b");
  EXPECT_EQ(normalized({PrefixRule{.text = "_"}}, ""), "");
  EXPECT_EQ(normalized({StripRule{.left = true, .right = false}}, "\u3000 a "), "a ");
  EXPECT_EQ(normalized({StripRule{.left = false, .right = true}}, " a\n\u00a0"), " a");
  EXPECT_EQ(normalized({LowercaseRule{}}, "\u00c9\u03a3 \u0130"), "\u00e9\u03c3 i\u0307");
  EXPECT_EQ(normalized({ReplaceRule{"\\s+", PatternSyntax::kRegex, "."}}, "a \t b\n"), "a.b.");
  EXPECT_EQ(normalized({ReplaceRule{"x*", PatternSyntax::kRegex, "-"}}, "axb"), "-a--b-");
}

TEST(TextRules, LeaveBytesThatAreNotUtf8) {
  EXPECT_EQ(normalized({NormalForm::kNfc, LowercaseRule{}, ReplaceRule{" ", {}, "_"},
                        ReplaceRule{"b+", PatternSyntax::kRegex, "c"}, StripRule{}},
                       "\xff"
                       "A bb\xe2\x82 e\u0301\xc3"),
            "\xff"
            "a_c\xe2\x82_\u00e9\xc3");
}

TEST(TextRules, PrefixWhereASectionMayHaveOne) {
  const std::vector<PreTokenizer> always = {PrefixRule{.text = "_", .where_missing = true}};
  const std::vector<PreTokenizer> first = {
      PrefixRule{.text = "_", .where_missing = true, .at_start = true}};
  EXPECT_THAT(words(always, {.text = "a"}), ElementsAre("_a"));
  EXPECT_THAT(words(always, {.text = "_a"}), ElementsAre("_a"));
  EXPECT_THAT(words(always, {.text = "a", .may_prefix = false}), ElementsAre("a"));
  EXPECT_THAT(words(always, {.text = ""}), ElementsAre());
  EXPECT_THAT(words(first, {.text = "a", .at_start = true}), ElementsAre("_a"));
  EXPECT_THAT(words(first, {.text = "a"}), ElementsAre("a"));
}

TEST(TextRules, OnlyTheFirstPieceIsAtTheStart) {
  const SplitRule split = {" ", {PatternSyntax::kLiteral, SplitBehavior::kRemoved}};
  const PrefixRule first = {.text = "_", .at_start = true};
  EXPECT_THAT(words({split, first}, {.text = "a b", .at_start = true}), ElementsAre("_a", "b"));
  EXPECT_THAT(words({split, first}, {.text = " a b", .at_start = true}), ElementsAre("a", "b"));
  EXPECT_THAT(words({split, PrefixRule{.text = "_"}}, {.text = "a b", .may_prefix = false}),
              ElementsAre("a", "_b"));
}

TEST(TextRules, AreLimitedInNumberAndGrowth) {
  const auto code = [](const std::vector<Normalizer>& n, const std::vector<PreTokenizer>& p) {
    const auto checked = check_rules(n, p);
    return checked ? std::optional<Code>() : checked.error().code();
  };
  EXPECT_EQ(code({NormalForm::kNfc}, {SplitRule{}}), std::nullopt);
  EXPECT_EQ(code(std::vector<Normalizer>(60, NormalForm::kNfc),
                 std::vector<PreTokenizer>(5, SplitRule{})),
            Code::kExhausted);
  const ReplaceRule twice = {"a", PatternSyntax::kLiteral, "aa"};
  EXPECT_EQ(code(std::vector<Normalizer>(8, twice), {}), std::nullopt);
  EXPECT_EQ(code(std::vector<Normalizer>(8, twice), {twice}), Code::kExhausted);
  EXPECT_EQ(code({PrefixRule{.text = std::string(256, 'a')}}, {}), Code::kExhausted);
  EXPECT_EQ(code({ReplaceRule{}}, {}), Code::kCorrupt);
}

TEST(Unicode, FindsTheLongestPartOfACharacter) {
  struct Case {
    std::string_view text;
    size_t bytes;
    bool may_go_on;
  };
  for (const Case& c : {Case{"\x80", 1, false},
                        {"\xc1\x80", 1, false},
                        {"\xc3", 1, true},
                        {"\xe2\x82", 2, true},
                        {"\xe2\x82x", 2, false},
                        {"\xe0\x80\x80", 1, false},
                        {"\xed\xa0\x80", 1, false},
                        {"\xf0\x9f\x99", 3, true},
                        {"\xf0\x8f", 1, false},
                        {"\xf4\x90", 1, false},
                        {"\xf5\x80", 1, false}}) {
    const Utf8Part part = utf8_part_at(c.text, 0);
    EXPECT_EQ(part.bytes, c.bytes) << testing::PrintToString(c.text);
    EXPECT_EQ(part.may_go_on, c.may_go_on) << testing::PrintToString(c.text);
  }
}

}  // namespace
}  // namespace quintet::io
