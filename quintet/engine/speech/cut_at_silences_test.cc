// Long recordings cut at silences, with whisper-base and the voice-activity network.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "quintet/engine/speech/whole_model.h"

namespace quintet::speech {
namespace {

using testing::common_subsequence;
using testing::samples_of;
using testing::words_of;

class CutAtSilencesWholeModel : public testing::SpeechWholeModel {
 protected:
  static constexpr double kPauseSeconds = 8;

  void SetUp() override {
    SpeechWholeModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!std::filesystem::exists(testing::model_folder("silero-vad"))) {
      if (env("QUINTET_TEST_MODELS")) FAIL() << "silero-vad is not there";
      GTEST_SKIP() << "silero-vad is not there and QUINTET_TEST_MODELS is not set";
    }
    model_.emplace(load({.voice_activity = testing::model_folder("silero-vad").string()}));
    // Two minutes: readings with long pauses between them.
    for (const char* file : {"jfk.wav", "austen.wav", "austen-0920.wav", "jfk.wav", "austen.wav"}) {
      const std::vector<float> part = samples_of(file);
      parts_.push_back({seconds(), seconds() + static_cast<double>(part.size()) / 16000, file});
      samples_.insert(samples_.end(), part.begin(), part.end());
      samples_.resize(samples_.size() + static_cast<size_t>(kPauseSeconds * 16000));
    }
  }

  double seconds() const { return static_cast<double>(samples_.size()) / 16000; }

  Transcript transcribe(TranscribeOptions options, int windows) const {
    options.cut = Cut::kSilences;
    const SpeechInput input{.audio = std::span(samples_), .options = options};
    auto results = model_->transcribe_batch({&input, 1}, {.windows = windows});
    EXPECT_TRUE(results[0]) << (results[0] ? "" : results[0].error().message());
    return *std::move(results[0]);
  }

  struct Part {
    double begin_seconds;
    double end_seconds;
    const char* file;
  };
  std::optional<SpeechModel> model_;
  std::vector<float> samples_;
  std::vector<Part> parts_;
};

TEST_F(CutAtSilencesWholeModel, GivesTheWordsOfThePartsInTheirOrder) {
  std::vector<std::string> expected;
  for (const Part& part : parts_) {
    const auto alone = model_->transcribe(testing::kSpeech / part.file);
    ASSERT_TRUE(alone);
    const auto words = words_of(alone->text);
    expected.insert(expected.end(), words.begin(), words.end());
  }
  for (const auto timestamps : {TimestampMode::kNone, TimestampMode::kSegments}) {
    const Transcript whole = transcribe({.timestamps = timestamps}, 8);
    EXPECT_EQ(whole.language, "en");
    EXPECT_NEAR(whole.duration_seconds, seconds(), 1e-6);
    const auto found = words_of(whole.text);
    // A window cut elsewhere may hear a word otherwise: at most one a part.
    EXPECT_LE(std::max(found.size(), expected.size()) - common_subsequence(found, expected),
              parts_.size())
        << whole.text;
  }
}

// The model ends such windows at a timestamp seconds before the speech does, as if the rest came in
// a next window; there is none.
TEST_F(CutAtSilencesWholeModel, WindowsWithTimestampsAreHeardToTheirEnds) {
  samples_.clear();
  for (int i = 0; i < 5; ++i) {
    for (const char* number : {"0870", "0880", "0890", "0920", "0930"}) {
      const auto part = samples_of((std::string("austen-") + number + ".wav").c_str());
      samples_.insert(samples_.end(), part.begin(), part.end());
      samples_.resize(samples_.size() + static_cast<size_t>(16000 * (0.3 + 0.2 * i)));
    }
  }
  const auto text = words_of(transcribe({.timestamps = TimestampMode::kNone}, 8).text);
  const auto timed = words_of(transcribe({.timestamps = TimestampMode::kSegments}, 8).text);
  // 8 of 350 words are missing where the model may end as it likes; hearing one otherwise is fair.
  EXPECT_LE(std::max(text.size(), timed.size()) - common_subsequence(text, timed), 3u);
}

TEST_F(CutAtSilencesWholeModel, TimesAreThoseOfTheRecordingAndPausesAreEmpty) {
  const Transcript whole = transcribe({.timestamps = TimestampMode::kWords}, 8);
  double last = 0;
  for (size_t i = 0; i < whole.segments.size(); ++i) {
    const Segment& segment = whole.segments[i];
    EXPECT_EQ(segment.id, static_cast<int64_t>(i));
    EXPECT_GE(segment.start_seconds, last - 0.021);
    EXPECT_GE(segment.end_seconds, segment.start_seconds);
    last = segment.end_seconds;
    for (const Word& word : segment.words) {
      // Padding of the network, and the reading of an edge, are below half a second.
      const bool within = std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
        return word.start_seconds > part.begin_seconds - 0.5 &&
               word.end_seconds < part.end_seconds + 0.5;
      });
      EXPECT_TRUE(within) << word.text << " at " << word.start_seconds;
    }
  }
  EXPECT_GT(last, parts_.back().begin_seconds);
  EXPECT_LE(last, seconds());
}

TEST_F(CutAtSilencesWholeModel, WindowsTogetherGiveTheBitsOfOneAfterTheOther) {
  std::vector<Segment> seen;
  TranscribeOptions options;
  options.on_segment = [&](const Segment& segment) { seen.push_back(segment); };
  const Transcript one = transcribe(options, 1);
  for (const int windows : {2, 8}) {
    seen.clear();
    const Transcript together = transcribe(options, windows);
    EXPECT_EQ(together.text, one.text);
    EXPECT_EQ(together.language_probability, one.language_probability);
    ASSERT_EQ(together.segments.size(), one.segments.size());
    ASSERT_EQ(seen.size(), one.segments.size());
    for (size_t i = 0; i < seen.size(); ++i) {
      EXPECT_EQ(together.segments[i].tokens, one.segments[i].tokens);
      EXPECT_EQ(together.segments[i].token_log_probs, one.segments[i].token_log_probs);
      EXPECT_EQ(seen[i].id, static_cast<int64_t>(i));
      EXPECT_EQ(seen[i].text, one.segments[i].text);
    }
  }
}

TEST_F(CutAtSilencesWholeModel, AudioWithoutSpeechGivesNoText) {
  const std::vector<float> silence(16000 * 40);
  const auto transcript = model_->transcribe(silence, {.cut = Cut::kSilences});
  ASSERT_TRUE(transcript) << transcript.error().message();
  EXPECT_EQ(transcript->text, "");
  EXPECT_EQ(transcript->duration_seconds, 40);
}

}  // namespace
}  // namespace quintet::speech
