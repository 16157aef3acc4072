#include "quintet/engine/decode/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace quintet::decode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Text 0 to 3, end of text 4, two tokens that steer, timestamps 7 to 16.
constexpr int32_t kEnd = 4;
constexpr int32_t kFirst = 7;
constexpr size_t kVocabulary = 17;
constexpr TimestampRuleOptions kOptions = {
    .first_timestamp = kFirst, .end_of_text = kEnd, .max_initial = 3};

// Text is far likelier than timestamps: only the rules about their order are at work.
std::vector<float> likely_text() {
  std::vector<float> logits(kVocabulary, 0.0f);
  logits[1] = logits[kEnd] = 20;
  return logits;
}

std::vector<int32_t> allowed(const LogitRule& rule, const std::vector<int32_t>& generated,
                             std::vector<float> logits) {
  rule.apply(generated, logits);
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isfinite(logits[i])) tokens.push_back(static_cast<int32_t>(i));
  }
  return tokens;
}

std::vector<int32_t> allowed_by_order(const std::vector<int32_t>& generated) {
  return allowed(TimestampRule(kOptions), generated, likely_text());
}

TEST(SuppressRule, ForbidsSomeAlwaysAndSomeOnlyFirst) {
  const SuppressRule rule({1, 3}, {0, 4});
  EXPECT_THAT(allowed(rule, {}, std::vector<float>(6)), ElementsAre(2, 5));
  EXPECT_THAT(allowed(rule, {2}, std::vector<float>(6)), ElementsAre(0, 2, 4, 5));
}

TEST(SuppressRule, IgnoresTokensOutsideTheVocabularyAndLeavesTheOthersAsTheyWere) {
  const SuppressRule rule({-1, 1, 3, INT32_MAX}, {INT32_MIN});
  std::vector<float> logits = {0.5f, 1.5f, -2.5f};
  rule.apply({}, logits);
  EXPECT_THAT(logits, ElementsAre(0.5f, -INFINITY, -2.5f));
}

TEST(TimestampRule, FirstTokenIsATimestampUpToTheHighestInitialOne) {
  EXPECT_THAT(allowed_by_order({}), ElementsAre(7, 8, 9, 10));
}

TEST(TimestampRule, TextOrTheEndFollowsTheFirstTimestamp) {
  EXPECT_THAT(allowed_by_order({7}), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(TimestampRule, AfterTextATimestampLiesBehindTheBeginOfItsSegment) {
  EXPECT_THAT(allowed_by_order({8, 1}),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16));
}

TEST(TimestampRule, EndOfASegmentIsFollowedByABeginNotEarlierOrByTheEnd) {
  EXPECT_THAT(allowed_by_order({8, 1, 13}), ElementsAre(4, 5, 6, 13, 14, 15, 16));
}

TEST(TimestampRule, TextFollowsAPair) {
  EXPECT_THAT(allowed_by_order({8, 1, 13, 13}), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(TimestampRule, TimestampsNeverDecreaseWhateverStandsBetween) {
  EXPECT_THAT(allowed_by_order({8, 1, 15, 15, 2, 2}), ElementsAre(0, 1, 2, 3, 4, 5, 6, 16));
  EXPECT_THAT(allowed_by_order({8, 1, 16, 16, 2}), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(allowed_by_order({8, 1, 16}), ElementsAre(4, 5, 6, 16));
}

TEST(TimestampRule, TextGoesOnWhereATimestampBeforeTheEarliestEndFollowsIt) {
  TimestampRuleOptions options = kOptions;
  options.earliest_end = 6;  // 13.
  const auto allowed_before_end = [&](const std::vector<int32_t>& generated) {
    return allowed(TimestampRule(options), generated, likely_text());
  };
  // A pair is followed by text, a single timestamp by the begin of the next segment.
  EXPECT_THAT(allowed_before_end({8, 1, 12, 12}), ElementsAre(0, 1, 2, 3, 5, 6));
  EXPECT_THAT(allowed_before_end({8, 1, 12}), ElementsAre(12, 13, 14, 15, 16));
  EXPECT_THAT(allowed_before_end({8, 1, 13, 13}), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(allowed_before_end({8, 1, 13}), ElementsAre(4, 5, 6, 13, 14, 15, 16));
  // Where the model hears nothing at all, and where it ends within a segment, it may.
  EXPECT_THAT(allowed_before_end({7}), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(allowed_before_end({7, 1}), testing::Contains(kEnd));
}

TEST(TimestampRule, TimestampsTogetherWinOverTheLikeliestText) {
  std::vector<float> logits(kVocabulary, -10.0f);
  logits[1] = 2.0f;
  // Eight allowed timestamps (9 to 16) at 0: log(8) = 2.08.
  std::fill(logits.begin() + kFirst, logits.end(), 0.0f);
  const TimestampRule rule(kOptions);
  EXPECT_THAT(allowed(rule, {8, 1}, logits), ElementsAre(9, 10, 11, 12, 13, 14, 15, 16));
  // Seven of them, log(7) = 1.95, do not.
  EXPECT_THAT(allowed(rule, {9, 1}, logits),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16));
  // The end of the text counts as text here.
  logits[1] = -10;
  logits[kEnd] = 2.0f;
  EXPECT_THAT(allowed(rule, {9, 1}, logits),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16));
}

TEST(TimestampRule, ForbiddenTimestampsHaveNoPartInTheSum) {
  std::vector<float> logits = likely_text();
  logits[8] = 100;
  EXPECT_THAT(allowed(TimestampRule(kOptions), {8, 1}, logits), testing::Contains(1));
}

TEST(TimestampRule, KeepsTextWhereTheLikeliestTextWasSuppressed) {
  std::vector<float> logits(kVocabulary, -INFINITY);
  logits[kEnd] = -50;
  EXPECT_THAT(allowed(TimestampRule(kOptions), {8, 1}, logits), ElementsAre(kEnd));
}

// Whatever the model wants: generates with the rules and checks every sequence that comes out.
TEST(TimestampRule, OneLogitStaysFiniteInEverySequenceThatTheRulesLetThrough) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 4);
  for (int sequence = 0; sequence < 300; ++sequence) {
    TimestampRuleOptions options = kOptions;
    options.earliest_end = sequence % 3 * 5;  // 10: behind the last timestamp.
    const TimestampRule rule(options);
    std::vector<int32_t> generated;
    for (int n = 0; n < 40; ++n) {
      std::vector<float> logits(kVocabulary);
      for (float& x : logits) x = normal(random);
      logits[5] = logits[6] = -INFINITY;  // What steers is suppressed by another rule.
      const auto tokens = allowed(rule, generated, logits);
      ASSERT_THAT(tokens, testing::Not(IsEmpty()));
      const int32_t token = tokens[random() % tokens.size()];
      if (token == kEnd) {
        const bool early = generated.size() > 1 && generated.back() >= kFirst &&
                           generated.back() < kFirst + options.earliest_end;
        EXPECT_FALSE(early);
        break;
      }
      generated.push_back(token);
    }
    int32_t latest = 0;
    for (size_t i = 0; i < generated.size(); ++i) {
      if (generated[i] < kFirst) continue;
      EXPECT_GE(generated[i], latest);
      latest = generated[i];
      const bool three = i >= 2 && generated[i - 1] >= kFirst && generated[i - 2] >= kFirst;
      EXPECT_FALSE(three);
    }
    EXPECT_GE(generated[0], kFirst);
  }
}

}  // namespace
}  // namespace quintet::decode
