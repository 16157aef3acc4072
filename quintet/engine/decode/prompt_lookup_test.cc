#include "quintet/engine/decode/prompt_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace quintet::decode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Proposals of the greatest length, whatever was right before.
constexpr PromptLookupOptions kAlways = {.longest_proposal = 4, .cost_of_a_token = -1};

std::vector<int32_t> proposed(PromptLookup& lookup, int64_t limit = 100) {
  const auto tokens = lookup.propose(limit);
  return {tokens.begin(), tokens.end()};
}

std::vector<int32_t> proposed(const PromptLookupOptions& options, const std::vector<int32_t>& text,
                              int64_t limit = 100) {
  PromptLookup lookup(options);
  lookup.append(text);
  return proposed(lookup, limit);
}

TEST(PromptLookup, ProposesWhatFollowedTheLastTokensBefore) {
  EXPECT_THAT(proposed(kAlways, {1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4}), ElementsAre(5, 6, 7, 8));
}

TEST(PromptLookup, ProposesNothingWhereTheLastTokenIsNew) {
  EXPECT_THAT(proposed(kAlways, {1, 2, 3, 1, 9}), IsEmpty());
  EXPECT_THAT(proposed(kAlways, {}), IsEmpty());
  EXPECT_THAT(proposed(kAlways, {1}), IsEmpty());
}

TEST(PromptLookup, PrefersTheLongestMatchAndThenTheLatest) {
  EXPECT_THAT(proposed(kAlways, {1, 2, 3, 50, 9, 2, 3, 60, 0, 1, 2, 3}, 1), ElementsAre(50));
  EXPECT_THAT(proposed(kAlways, {2, 3, 50, 9, 2, 3, 60, 0, 2, 3}, 1), ElementsAre(60));
}

TEST(PromptLookup, LooksForNoFewerTokensThanItWasTold) {
  auto options = kAlways;
  options.shortest_match = 2;
  EXPECT_THAT(proposed(options, {1, 2, 3, 9, 3}), IsEmpty());
  EXPECT_THAT(proposed(options, {1, 2, 3, 9, 2, 3}, 1), ElementsAre(9));
}

TEST(PromptLookup, GivesNoMoreThanTheLimit) {
  EXPECT_THAT(proposed(kAlways, {1, 2, 3, 4, 5, 1}, 2), ElementsAre(2, 3));
  EXPECT_THAT(proposed(kAlways, {1, 2, 3, 4, 5, 1}, 0), IsEmpty());
}

TEST(PromptLookup, GoesOnWithARepetitionBehindItsEnd) {
  EXPECT_THAT(proposed(kAlways, {7, 7}), ElementsAre(7, 7, 7, 7));
  EXPECT_THAT(proposed(kAlways, {0, 1, 2, 1, 2}), ElementsAre(1, 2, 1, 2));
}

TEST(PromptLookup, ProposesTheSameWhetherTokensComeOneByOneOrTogether) {
  std::mt19937 random(2);
  PromptLookup one_by_one(kAlways);
  std::vector<int32_t> text;
  for (int i = 0; i < 300; ++i) {
    text.push_back(static_cast<int32_t>(random() % 6));
    one_by_one.append({&text.back(), 1});
    ASSERT_EQ(proposed(one_by_one), proposed(kAlways, text));
  }
}

// By looking at every place.
std::vector<int32_t> by_scan(const std::vector<int32_t>& text, size_t proposal) {
  for (size_t n = std::min<size_t>(3, text.size()); n >= 1; --n) {
    for (size_t end = text.size(); end-- > n;) {
      const auto run = text.begin() + static_cast<int64_t>(end);
      if (!std::equal(text.end() - static_cast<int64_t>(n), text.end(),
                      run - static_cast<int64_t>(n))) {
        continue;
      }
      std::vector<int32_t> both = text;
      for (size_t i = 0; i < proposal; ++i) both.push_back(both[end + i]);
      return {both.begin() + std::ssize(text), both.end()};
    }
  }
  return {};
}

TEST(PromptLookup, AgreesWithAScanOfTheText) {
  std::mt19937 random(3);
  PromptLookup lookup(kAlways);
  std::vector<int32_t> text;
  for (int i = 0; i < 500; ++i) {
    text.push_back(static_cast<int32_t>(random() % 9));
    lookup.append({&text.back(), 1});
    ASSERT_EQ(proposed(lookup), by_scan(text, 4)) << i;
  }
}

TEST(PromptLookup, ProposesMoreTheMoreWasRight) {
  PromptLookup lookup({});
  std::vector<int32_t> text(40);
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<int32_t>(i);
  lookup.append(text);
  lookup.append(std::vector<int32_t>{0, 1, 2});
  const auto first = proposed(lookup);
  EXPECT_THAT(first, ElementsAre(3, 4, 5, 6));
  lookup.append(first);
  const auto second = proposed(lookup);
  EXPECT_GT(second.size(), first.size());
  lookup.append(second);
  EXPECT_GT(proposed(lookup).size(), second.size());
}

TEST(PromptLookup, GivesUpWhereItIsWrongAndTriesAgainLater) {
  PromptLookup lookup({.longest_match = 1});
  // Every token has been there before, and what follows is always another one.
  std::vector<size_t> lengths;
  for (int32_t i = 0; i < 400; ++i) {
    lookup.append(std::vector<int32_t>{0, i + 1});
    lookup.append(std::vector<int32_t>{0});
    lengths.push_back(lookup.propose(100).size());
  }
  EXPECT_GE(lengths[1], 3u);
  const auto late = lengths.begin() + 200;
  const auto tries = std::count_if(late, lengths.end(), [](size_t n) { return n > 0; });
  EXPECT_GT(tries, 5);
  EXPECT_LT(tries, 30);
  EXPECT_LE(*std::max_element(late, lengths.end()), 1u);
}

TEST(PromptLookup, LearnsForEachLengthOfAMatchByItself) {
  PromptLookup lookup({.longest_match = 2});
  std::vector<int32_t> text = {100, 101, 102, 103, 104, 105};
  lookup.append(text);
  for (int32_t i = 0; i < 100; ++i) {  // Matches of one token are wrong.
    lookup.append(std::vector<int32_t>{i + 1000, 0});
    lookup.propose(100);
  }
  lookup.append(std::vector<int32_t>{100, 101});
  EXPECT_THAT(proposed(lookup), ElementsAre(102, 103, 104, 105));
}

}  // namespace
}  // namespace quintet::decode
