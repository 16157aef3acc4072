// Loading of small models that are complete but for one thing: each gives one error, none a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "quintet/engine/speech/small_model.h"
#include "quintet/engine/speech/speech_model.h"

namespace quintet::speech {
namespace {

using ::testing::HasSubstr;

class SmallSpeechModel : public ::testing::Test {
 protected:
  void write_tokenizer(int32_t first) { folder_.write_tokenizer(first); }

  Error error() {
    const auto model = SpeechModel::load_file(folder_.path(), {.threads = 1});
    EXPECT_FALSE(model);
    if (model) return {Code::kInternal, ""};
    EXPECT_THAT(model.error().message(), HasSubstr(folder_.path().string()));
    return model.error();
  }

  testing::SmallModelFolder folder_;
};

TEST_F(SmallSpeechModel, TranscribesWhateverItMayHear) {
  write_tokenizer(300);
  const auto model = SpeechModel::load_file(folder_.path(), {.threads = 2});
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->languages(), (std::vector<std::string>{"en", "de"}));
  const std::vector<float> noise = testing::audible_samples(7, 0);
  for (const auto timestamps :
       {TimestampMode::kNone, TimestampMode::kSegments, TimestampMode::kWords}) {
    for (const int beams : {1, 3}) {
      TranscribeOptions options{.timestamps = timestamps, .beams = beams};
      options.condition_on_previous = true;
      options.initial_prompt = std::string(200, 'x');  // Longer than the text positions.
      const auto transcript = model->transcribe(noise, options);
      ASSERT_TRUE(transcript) << transcript.error().message();
      EXPECT_NEAR(transcript->duration_seconds, 7, 1e-9);
      for (const Segment& segment : transcript->segments) {
        EXPECT_LE(segment.start_seconds, segment.end_seconds);
        EXPECT_LE(segment.end_seconds, 7 + 1e-9);
      }
    }
  }
}

TEST_F(SmallSpeechModel, ATraceAccountsForTheStagesAndChangesNothing) {
  write_tokenizer(300);
  const auto model = SpeechModel::load_file(folder_.path(), {.threads = 2});
  ASSERT_TRUE(model) << model.error().message();
  std::vector<float> noise(16000 * 3);
  for (size_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<float>(i * i % 1009) / 2000 - 0.25f;
  trace::Recorder recorder(1 << 20);
  const SpeechInput input{.audio = std::span<const float>(noise),
                          .options = {.language = "en", .timestamps = TimestampMode::kWords}};
  const auto plain = std::move(model->transcribe_batch({&input, 1}).front());
  const auto traced = std::move(model->transcribe_batch({&input, 1}, {.trace = &recorder}).front());
  ASSERT_TRUE(plain && traced);
  EXPECT_EQ(plain->text, traced->text);
  EXPECT_EQ(recorder.dropped(), 0);
  const auto spans = recorder.spans();
  std::map<std::string, double> stage_ms;
  for (size_t i = 0; i < spans.size(); ++i) {
    const std::string path = trace::path_of(spans, static_cast<int64_t>(i), false);
    if (spans[i].parent < 0) stage_ms[path.substr(0, path.find('/'))] += spans[i].milliseconds();
    EXPECT_LE(spans[i].begin_ns, spans[i].end_ns) << path;
  }
  // A span lies within what is timed; the sums may differ in their last bits.
  constexpr double kRounding = 1e-6;
  const Timings& t = traced->timings;
  for (const auto& [ms, timing] : {std::pair(stage_ms["preprocess"], t.preprocess),
                                   {stage_ms["encode"], t.encode},
                                   {stage_ms["prefill"], t.prefill},
                                   {stage_ms["decode"] + stage_ms["align"], t.decode}}) {
    EXPECT_GT(ms, 0);
    EXPECT_LE(ms, timing + kRounding);
  }
  // Nobody records where nobody asked.
  const int64_t before = std::ssize(spans);
  ASSERT_TRUE(model->transcribe_batch({&input, 1}).front());
  EXPECT_EQ(std::ssize(recorder.spans()), before);
}

TEST_F(SmallSpeechModel, NeedsATokenizerThatFits) {
  EXPECT_EQ(error().code(), Code::kNotFound);
  EXPECT_THAT(error().message(), HasSubstr("tokenizer.json is missing"));
  write_tokenizer(506);
  EXPECT_EQ(error().code(), Code::kCorrupt);
  EXPECT_THAT(error().message(), HasSubstr("the model only 512"));
}

TEST_F(SmallSpeechModel, NeedsTimestamps) {
  // Ten special tokens up to the very end of the vocabulary.
  write_tokenizer(502);
  EXPECT_EQ(error().code(), Code::kCorrupt);
  EXPECT_THAT(error().message(), HasSubstr("none of the model's 512 tokens is a timestamp"));
}

}  // namespace
}  // namespace quintet::speech
