#include "quintet/engine/decode/stop_strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace quintet::decode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

StopStrings made(const std::vector<std::string>& strings) {
  auto stops = StopStrings::make(strings);
  EXPECT_TRUE(stops.has_value());
  return *std::move(stops);
}

// What is shown after each piece, and at the end.
std::vector<std::string> shown(const StopStrings& stops, const std::vector<std::string>& pieces) {
  StopScanner scanner(stops);
  std::vector<std::string> all;
  for (const std::string& piece : pieces) all.push_back(scanner.push(piece));
  all.push_back(scanner.finish());
  return all;
}

TEST(StopStrings, ShowsEverythingAtOnceWhereNothingCanStop) {
  EXPECT_THAT(shown(made({}), {"one", " two"}), ElementsAre("one", " two", ""));
  EXPECT_THAT(shown(made({"END"}), {"one", " two"}), ElementsAre("one", " two", ""));
}

TEST(StopStrings, HoldsBackWhatCouldBecomeAStopString) {
  EXPECT_THAT(shown(made({"END"}), {"the E", "N", "V is"}), ElementsAre("the ", "", "ENV is", ""));
  EXPECT_THAT(shown(made({"END"}), {"the E", "N"}), ElementsAre("the ", "", "EN"));
}

TEST(StopStrings, EndsBeforeAStopStringAcrossPieces) {
  const auto stops = made({"\n\n", "User:"});
  StopScanner scanner(stops);
  EXPECT_EQ(scanner.push("Hello.\n"), "Hello.");
  EXPECT_EQ(scanner.push("Us"), "\n");
  EXPECT_EQ(scanner.push("er: more"), "");
  EXPECT_EQ(scanner.stopped_by(), 1u);
  EXPECT_EQ(scanner.shown_bytes(), 7);
  EXPECT_EQ(scanner.push("and more"), "");
  EXPECT_EQ(scanner.finish(), "");
  EXPECT_EQ(scanner.shown_bytes(), 7);
}

TEST(StopStrings, FindsOneThatBeginsWithinAnother) {
  EXPECT_THAT(shown(made({"aab"}), {"a", "a", "a", "a", "b"}),
              ElementsAre("", "", "a", "a", "", ""));
  EXPECT_THAT(shown(made({"abcd", "bc"}), {"xabc"}), ElementsAre("xa", ""));
}

TEST(StopStrings, TheFirstToBeCompleteCountsAndOfThoseTheLongest) {
  const auto stops = made({"c", "abc", "abcd", "abc"});
  StopScanner scanner(stops);
  EXPECT_EQ(scanner.push("zabcd"), "z");
  EXPECT_EQ(scanner.stopped_by(), 1u);
}

TEST(StopStrings, TakesCharactersOfSeveralBytes) {
  EXPECT_THAT(shown(made({"。終"}), {"一。", "二。", "終"}), ElementsAre("一", "。二", "", ""));
}

TEST(StopStrings, RefusesEmptyAndEndlessOnes) {
  const auto empty = StopStrings::make(std::vector<std::string>{"a", ""});
  ASSERT_FALSE(empty.has_value());
  EXPECT_THAT(empty.error().message(), HasSubstr("stop string 2 is empty"));
  EXPECT_FALSE(StopStrings::make(std::vector<std::string>(2, std::string(1 << 20, 'x'))));
}

// By looking at every place.
std::pair<std::string, bool> by_search(const std::string& text,
                                       const std::vector<std::string>& strings) {
  for (size_t end = 0; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : strings) {
      if (std::string_view(text).substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(StopStrings, AgreesWithASearchWhereverTheTextIsCut) {
  std::mt19937 random(1);
  const auto word = [&](size_t longest) {
    std::string text(1 + random() % longest, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> strings;
    for (size_t i = 0; i < 1 + random() % 4; ++i) strings.push_back(word(6) + word(3));
    const std::string text = word(40);
    const auto [expected, stops] = by_search(text, strings);
    const auto automaton = made(strings);
    StopScanner scanner(automaton);
    std::string all;
    for (size_t from = 0; from < text.size();) {
      const size_t bytes = 1 + random() % 5;
      all += scanner.push(std::string_view(text).substr(from, bytes));
      ASSERT_TRUE(expected.starts_with(all)) << text;
      from += bytes;
    }
    all += scanner.finish();
    ASSERT_EQ(all, expected) << text;
    ASSERT_EQ(scanner.stopped_by().has_value(), stops);
    ASSERT_EQ(scanner.shown_bytes(), std::ssize(expected));
  }
}

}  // namespace
}  // namespace quintet::decode
