#include "quintet/engine/speech/transcript_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace quintet {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::array kAllFormats = {TranscriptFormat::kText, TranscriptFormat::kJson,
                                    TranscriptFormat::kSrt, TranscriptFormat::kVtt,
                                    TranscriptFormat::kVerboseJson};

Segment segment(int64_t id, double start, double end, const std::string& text) {
  Segment s;
  s.id = id;
  s.start_seconds = start;
  s.end_seconds = end;
  s.text = text;
  return s;
}

Transcript example() {
  Transcript t;
  t.text = "Hello there. \"Über\" und aus.";
  t.language = "de";
  t.duration_seconds = 3725.5004;
  t.segments = {segment(0, 0, 1.5, " Hello there."),
                segment(1, 3661.25, 3725.5, " \"Über\" und aus.")};
  return t;
}

nlohmann::json parsed(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << text;
  return json;
}

std::string subtitle_of(const std::string& text, TranscriptFormat format) {
  Transcript t;
  t.text = text;
  t.segments = {segment(0, 0, 1, text)};
  return format_transcript(t, format, Task::kTranscribe);
}

TEST(ParseTranscriptFormat, KnowsFiveNamesAndNamesThemForAnother) {
  EXPECT_EQ(*parse_transcript_format("text"), TranscriptFormat::kText);
  EXPECT_EQ(*parse_transcript_format("json"), TranscriptFormat::kJson);
  EXPECT_EQ(*parse_transcript_format("srt"), TranscriptFormat::kSrt);
  EXPECT_EQ(*parse_transcript_format("vtt"), TranscriptFormat::kVtt);
  EXPECT_EQ(*parse_transcript_format("verbose_json"), TranscriptFormat::kVerboseJson);
  const auto unknown = parse_transcript_format("docx");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(unknown.error().message(), HasSubstr("\"docx\" is unknown; use text, json"));
}

TEST(ShowsTimestamps, IsTrueForSubtitlesAndVerboseJson) {
  EXPECT_FALSE(shows_timestamps(TranscriptFormat::kText));
  EXPECT_FALSE(shows_timestamps(TranscriptFormat::kJson));
  EXPECT_TRUE(shows_timestamps(TranscriptFormat::kSrt));
  EXPECT_TRUE(shows_timestamps(TranscriptFormat::kVtt));
  EXPECT_TRUE(shows_timestamps(TranscriptFormat::kVerboseJson));
}

TEST(FormatTranscript, TextIsTheTextAndALineEnd) {
  EXPECT_EQ(format_transcript(example(), TranscriptFormat::kText, Task::kTranscribe),
            "Hello there. \"Über\" und aus.\n");
  EXPECT_EQ(format_transcript({}, TranscriptFormat::kText, Task::kTranscribe), "\n");
}

TEST(FormatTranscript, JsonHoldsTheTextOnly) {
  EXPECT_EQ(format_transcript(example(), TranscriptFormat::kJson, Task::kTranscribe),
            "{\"text\":\"Hello there. \\\"Über\\\" und aus.\"}\n");
}

TEST(FormatTranscript, SubRipNumbersCuesAndCountsHours) {
  EXPECT_EQ(format_transcript(example(), TranscriptFormat::kSrt, Task::kTranscribe),
            "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"
            "2\n01:01:01,250 --> 01:02:05,500\n\"Über\" und aus.\n\n");
}

TEST(FormatTranscript, WebVttBeginsWithItsNameAndWritesPoints) {
  EXPECT_EQ(format_transcript(example(), TranscriptFormat::kVtt, Task::kTranscribe),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n"
            "01:01:01.250 --> 01:02:05.500\n\"Über\" und aus.\n\n");
  EXPECT_EQ(format_transcript({}, TranscriptFormat::kVtt, Task::kTranscribe), "WEBVTT\n\n");
}

TEST(FormatTranscript, MillisecondsCarryOverAndHoursMayHaveThreeDigits) {
  Transcript t;
  t.segments = {segment(0, 59.9996, 3599.9999, "a"), segment(1, 359999.9, 360000.001, "b")};
  EXPECT_EQ(format_transcript(t, TranscriptFormat::kSrt, Task::kTranscribe),
            "1\n00:01:00,000 --> 01:00:00,000\na\n\n2\n99:59:59,900 --> 100:00:00,001\nb\n\n");
}

TEST(FormatTranscript, ArrowsInTextDoNotEndACue) {
  for (const char* text : {"a --> b", "-->", "a ---> b", "---->", "-->-->", "--->>"}) {
    for (const auto format : {TranscriptFormat::kSrt, TranscriptFormat::kVtt}) {
      const std::string cue = subtitle_of(text, format);
      const size_t time = cue.find("-->");
      ASSERT_NE(time, std::string::npos);
      EXPECT_EQ(cue.find("-->", time + 1), std::string::npos) << text;
    }
  }
  EXPECT_THAT(subtitle_of("a --> b", TranscriptFormat::kSrt), HasSubstr("\na -> b\n"));
}

TEST(FormatTranscript, CutCharactersBecomeTheReplacementCharacterInEveryFormat) {
  for (const auto format : kAllFormats) {
    const std::string out = subtitle_of("a\xe6\x88 b\xff", format);
    EXPECT_THAT(out, HasSubstr("a\xEF\xBF\xBD b\xEF\xBF\xBD"));
    EXPECT_THAT(out, Not(HasSubstr("\xff")));
  }
}

TEST(FormatTranscript, AnyBytesGiveValidJson) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_TRUE(parsed(subtitle_of(all, TranscriptFormat::kJson))["text"].is_string());
  EXPECT_TRUE(parsed(subtitle_of(all, TranscriptFormat::kVerboseJson))["text"].is_string());
}

TEST(FormatTranscript, VerboseJsonHasWhatOpenAisApiHas) {
  Transcript t = example();
  t.segments[0].tokens = {50364, 400, 50439};
  t.segments[0].temperature = 0.2f;
  t.segments[0].average_log_prob = -0.1f;
  t.segments[0].compression_ratio = 1.25f;
  t.segments[0].no_speech_probability = 0.3f;
  const std::string text = format_transcript(t, TranscriptFormat::kVerboseJson, Task::kTranslate);
  EXPECT_TRUE(text.ends_with("}\n"));
  const auto json = parsed(text);
  EXPECT_EQ(json["task"], "translate");
  EXPECT_EQ(json["language"], "german");
  EXPECT_EQ(json["duration"], 3725.5);
  EXPECT_EQ(json["text"], t.text);
  ASSERT_EQ(json["segments"].size(), 2u);
  const auto& first = json["segments"][0];
  EXPECT_EQ(first["id"], 0);
  EXPECT_EQ(first["start"], 0.0);
  EXPECT_EQ(first["end"], 1.5);
  EXPECT_EQ(first["text"], " Hello there.");
  EXPECT_EQ(first["tokens"], (std::vector<int32_t>{50364, 400, 50439}));
  EXPECT_FALSE(json.contains("words"));
  // Short decimals, not the nearest double of a float32.
  EXPECT_THAT(text, HasSubstr("\"temperature\": 0.2,"));
  EXPECT_THAT(text, HasSubstr("\"avg_logprob\": -0.1,"));
  EXPECT_THAT(text, HasSubstr("\"compression_ratio\": 1.25,"));
  EXPECT_THAT(text, HasSubstr("\"no_speech_prob\": 0.3\n"));
}

TEST(FormatTranscript, VerboseJsonListsWordsWithoutTheirSpaces) {
  Transcript t = example();
  t.segments[0].words = {{" Hello", 0, 0.5004, 0.9f}, {" there.", 0.5, 1.5, 0.25f}};
  const auto json = parsed(format_transcript(t, TranscriptFormat::kVerboseJson, Task::kTranscribe));
  EXPECT_EQ(json["task"], "transcribe");
  ASSERT_EQ(json["words"].size(), 2u);
  EXPECT_EQ(json["words"][0]["word"], "Hello");
  EXPECT_EQ(json["words"][0]["end"], 0.5);
  EXPECT_EQ(json["words"][0]["probability"], 0.9);
  EXPECT_EQ(json["words"][1]["word"], "there.");
}

TEST(FormatTranscript, NumbersThatAreNoneStayJson) {
  Transcript t = example();
  t.segments[0].average_log_prob = -std::numeric_limits<float>::infinity();
  t.segments[0].compression_ratio = std::numeric_limits<float>::quiet_NaN();
  const auto json = parsed(format_transcript(t, TranscriptFormat::kVerboseJson, Task::kTranscribe));
  EXPECT_TRUE(json["segments"][0]["avg_logprob"].is_null());
}

}  // namespace
}  // namespace quintet
