#include "quintet/engine/speech/segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "quintet/engine/speech/test_tokenizer.h"

namespace quintet::speech {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kFirstTimestamp = 400;

Vocabulary small_vocabulary() {
  Vocabulary v;
  v.end_of_text = 300;
  v.first_timestamp = kFirstTimestamp;
  return v;
}

int32_t at(double seconds) { return kFirstTimestamp + static_cast<int32_t>(seconds / 0.02 + 0.5); }

WindowSegments cut(const std::vector<int32_t>& tokens, double begin = 0, double length = 30,
                   Rest rest = Rest::kNextWindow) {
  static const io::BpeTokenizer tokenizer = testing::make_tokenizer({});
  DecodedWindow window;
  window.tokens = tokens;
  for (size_t i = 0; i < tokens.size(); ++i) {
    window.log_probs.push_back(-0.1f * static_cast<float>(i));
  }
  window.average_log_prob = -0.5f;
  window.compression_ratio = 1.5f;
  window.no_speech_probability = 0.25f;
  window.temperature = 0.2f;
  return cut_segments(window, begin, length, rest, small_vocabulary(), tokenizer);
}

TEST(CutSegments, PairsOfTimestampsEndOneSegmentAndBeginTheNext) {
  const auto result = cut({at(1), 'a', 'b', at(4), at(5), 'c', at(9), at(9), 'd'}, 60);
  ASSERT_EQ(result.segments.size(), 2u);
  EXPECT_EQ(result.segments[0].text, "ab");
  EXPECT_NEAR(result.segments[0].start_seconds, 61, 1e-9);
  EXPECT_NEAR(result.segments[0].end_seconds, 64, 1e-9);
  EXPECT_THAT(result.segments[0].tokens, ElementsAre(at(1), 'a', 'b', at(4)));
  EXPECT_EQ(result.segments[1].text, "c");
  EXPECT_NEAR(result.segments[1].start_seconds, 65, 1e-9);
  EXPECT_NEAR(result.segments[1].end_seconds, 69, 1e-9);
  EXPECT_THAT(result.segments[1].token_log_probs, ElementsAre(-0.1f * 4, -0.1f * 5, -0.1f * 6));
  // What follows the last pair is heard again.
  EXPECT_NEAR(result.advance_seconds, 9, 1e-9);
}

TEST(CutSegments, WhatFollowsTheLastPairIsASegmentOfAWindowThatStandsAlone) {
  const auto result = cut({at(1), 'a', at(4), at(5), 'b', 'c'}, 60, 20, Rest::kSegment);
  ASSERT_EQ(result.segments.size(), 2u);
  EXPECT_EQ(result.segments[1].text, "bc");
  EXPECT_NEAR(result.segments[1].start_seconds, 65, 1e-9);
  EXPECT_NEAR(result.segments[1].end_seconds, 80, 1e-9);
  EXPECT_NEAR(result.advance_seconds, 20, 1e-9);
  // A pair at the very end has nothing behind it.
  EXPECT_EQ(cut({at(1), 'a', at(4), at(5)}, 60, 20, Rest::kSegment).segments.size(), 1u);
}

TEST(CutSegments, SegmentsCarryWhatIsKnownAboutTheirWindow) {
  const auto result = cut({at(0), 'a', at(4), at(4)});
  ASSERT_EQ(result.segments.size(), 1u);
  EXPECT_EQ(result.segments[0].temperature, 0.2f);
  EXPECT_EQ(result.segments[0].average_log_prob, -0.5f);
  EXPECT_EQ(result.segments[0].compression_ratio, 1.5f);
  EXPECT_EQ(result.segments[0].no_speech_probability, 0.25f);
}

TEST(CutSegments, ASingleTimestampAtTheEndEndsTheWindow) {
  const auto result = cut({at(0), 'a', at(4), at(5), 'b', at(9)});
  ASSERT_EQ(result.segments.size(), 2u);
  EXPECT_EQ(result.segments[1].text, "b");
  EXPECT_NEAR(result.segments[1].start_seconds, 5, 1e-9);
  EXPECT_NEAR(result.segments[1].end_seconds, 9, 1e-9);
  EXPECT_EQ(result.advance_seconds, 30);
}

TEST(CutSegments, WithoutPairsTheWindowIsOneSegment) {
  const auto result = cut({at(2), 'a', 'b', at(8)}, 30);
  ASSERT_EQ(result.segments.size(), 1u);
  EXPECT_EQ(result.segments[0].text, "ab");
  EXPECT_NEAR(result.segments[0].start_seconds, 32, 1e-9);
  EXPECT_NEAR(result.segments[0].end_seconds, 38, 1e-9);
  EXPECT_EQ(result.advance_seconds, 30);
}

TEST(CutSegments, WithoutAnEndTheSegmentLastsAsLongAsTheAudio) {
  for (const auto& tokens :
       {std::vector<int32_t>{'a', 'b'}, std::vector<int32_t>{at(0), 'a', 'b'}}) {
    const auto result = cut(tokens, 0, 12.5);
    ASSERT_EQ(result.segments.size(), 1u);
    EXPECT_EQ(result.segments[0].start_seconds, 0);
    EXPECT_EQ(result.segments[0].end_seconds, 12.5);
    EXPECT_EQ(result.advance_seconds, 12.5);
  }
}

TEST(CutSegments, TimesEndWithTheAudioNotInThePaddingBehindIt) {
  const auto result = cut({at(1), 'a', at(4), at(6), 'b', at(9)}, 10, 3.5);
  ASSERT_EQ(result.segments.size(), 2u);
  EXPECT_NEAR(result.segments[0].start_seconds, 11, 1e-9);
  EXPECT_EQ(result.segments[0].end_seconds, 13.5);
  EXPECT_EQ(result.segments[1].start_seconds, 13.5);
  EXPECT_EQ(result.segments[1].end_seconds, 13.5);
}

TEST(CutSegments, SegmentsWithoutTextAreLeftOut) {
  const auto result = cut({at(0), ' ', at(4), at(4), 'b', at(9), at(9), '\n', '\t', at(11)});
  ASSERT_EQ(result.segments.size(), 1u);
  EXPECT_EQ(result.segments[0].text, "b");
  EXPECT_THAT(cut({at(0), at(4)}).segments, IsEmpty());
  EXPECT_THAT(cut({}).segments, IsEmpty());
  EXPECT_EQ(cut({}).advance_seconds, 30);
}

TEST(CutSegments, SpecialTokensAreNoText) {
  const auto result = cut({at(0), 'a', 350, 'b', at(4), at(4)});
  ASSERT_EQ(result.segments.size(), 1u);
  EXPECT_EQ(result.segments[0].text, "ab");
}

TEST(CutSegments, AWindowNeverRepeats) {
  EXPECT_GT(cut({at(0), at(0), 'a'}).advance_seconds, 0);
  EXPECT_GT(cut({at(0), at(0), 'a'}, 0, 1.0 / 16000).advance_seconds, 0);
}

TEST(CutSegments, TimesLieInsideTheAudioForAnyTokens) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::vector<int32_t> tokens(random() % 12);
    for (int32_t& token : tokens) {
      token =
          static_cast<int32_t>(random() % 2 == 0 ? 'a' + random() % 3 : at(0) + random() % 1501);
    }
    const auto result = cut(tokens, 5, 20);
    EXPECT_GT(result.advance_seconds, 0);
    for (const Segment& segment : result.segments) {
      EXPECT_GE(segment.start_seconds, 5);
      EXPECT_LE(segment.start_seconds, segment.end_seconds);
      EXPECT_LE(segment.end_seconds, 25);
      EXPECT_EQ(segment.tokens.size(), segment.token_log_probs.size());
    }
  }
}

}  // namespace
}  // namespace quintet::speech
