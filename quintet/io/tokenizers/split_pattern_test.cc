#include "quintet/io/tokenizers/split_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quintet::io {
namespace {

using testing::ElementsAre;

std::vector<std::string_view> split(std::string_view pattern, std::string_view text,
                                    SplitPattern::Options options = {}) {
  const auto compiled = SplitPattern::compile(pattern, options);
  if (!compiled) {
    ADD_FAILURE() << compiled.error().message();
    return {};
  }
  return compiled->split(text);
}

std::string joined(const std::vector<std::string_view>& pieces) {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  return text;
}

TEST(SplitPattern, TreatsMatchesAsTheBehaviorSays) {
  const auto with = [](SplitBehavior behavior) {
    return split("-", "-a--b-", {.behavior = behavior});
  };
  EXPECT_THAT(with(SplitBehavior::kRemoved), ElementsAre("a", "b"));
  EXPECT_THAT(with(SplitBehavior::kIsolated), ElementsAre("-", "a", "-", "-", "b", "-"));
  EXPECT_THAT(with(SplitBehavior::kMergedWithPrevious), ElementsAre("-", "a-", "-", "b-"));
  EXPECT_THAT(with(SplitBehavior::kMergedWithNext), ElementsAre("-a", "-", "-b", "-"));
  EXPECT_THAT(with(SplitBehavior::kContiguous), ElementsAre("-", "a", "--", "b", "-"));
}

TEST(SplitPattern, TakesLiteralsLiterally) {
  EXPECT_THAT(split(".*", "a.*b", {.syntax = PatternSyntax::kLiteral}),
              ElementsAre("a", ".*", "b"));
}

TEST(SplitPattern, EmptyMatchesSeparate) {
  EXPECT_THAT(split("x*", "axb\u00e9"), ElementsAre("a", "x", "b", "\u00e9"));
  EXPECT_TRUE(split("x*", "").empty());
}

TEST(SplitPattern, LosesNothingWhereMatchingRunsIntoItsLimits) {
  const std::string many_a(6000, 'a');
  for (const char* pattern : {"(a+)+$", "(a|aa)+$", "(?:a?){50}b", "(.*)(.*)(.*)x", "(?R)?a(?R)?b"})
    EXPECT_EQ(joined(split(pattern, many_a + "!")), many_a + "!") << pattern;
}

TEST(SplitPattern, TakesRunsOfWhiteSpaceWholeAndRecoversFromOverlongOnes) {
  constexpr std::string_view kPattern = R"(\s*[\r\n]+|\s+(?!\S)|\s+|\S+)";
  const std::string run(20'000, ' ');
  EXPECT_THAT(split(kPattern, run + "x y"), ElementsAre(run.substr(1), " ", "x", " ", "y"));
  const std::string overlong = std::string(1 << 20, ' ') + "x";
  const std::string words(size_t{4} << 20, 'w');
  EXPECT_EQ(split(kPattern, overlong + words + " y").back(), "y");
}

TEST(SplitPattern, RefusesPatternsThatDoNotCompile) {
  for (const char* pattern : {"(", "[a", "a{2,1}", R"(\C)", R"(\p{Nonsense})"})
    EXPECT_EQ(SplitPattern::compile(pattern, {}).error().code(), Code::kUnsupported) << pattern;
  EXPECT_EQ(SplitPattern::compile(std::string(10'000, 'a'), {}).error().code(), Code::kExhausted);
}

}  // namespace
}  // namespace quintet::io
