// Recordings that are transcribed together, with the small random model: it is never sure of its
// text, so that windows run through every temperature.
#include "quintet/engine/speech/batch_transcriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "quintet/engine/speech/small_model.h"
#include "quintet/engine/speech/speech_model.h"

namespace quintet::speech {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Batch : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write_tokenizer(300);
    // 0.4 s to five windows; the shorter ones are done first and make room.
    for (const double seconds : {14.0, 0.4, 3.0, 6.5, 2.0, 0.0, 9.0}) {
      recordings_.push_back(testing::audible_samples(seconds, recordings_.size() * 7));
    }
  }

  SpeechModel load(Precision precision, int threads = 2) const {
    auto model =
        SpeechModel::load_file(folder_.path(), {.precision = precision, .threads = threads});
    if (!model) ADD_FAILURE() << model.error().message();
    return *std::move(model);
  }

  std::vector<SpeechInput> inputs(const TranscribeOptions& options) const {
    std::vector<SpeechInput> inputs;
    for (const std::vector<float>& samples : recordings_) {
      inputs.push_back({.audio = std::span(samples), .options = options});
    }
    return inputs;
  }

  testing::SmallModelFolder folder_;
  std::vector<std::vector<float>> recordings_;
};

void expect_equal(const Transcript& a, const Transcript& b) {
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.language, b.language);
  EXPECT_EQ(a.language_probability, b.language_probability);
  EXPECT_EQ(a.duration_seconds, b.duration_seconds);
  ASSERT_EQ(a.segments.size(), b.segments.size());
  for (size_t i = 0; i < a.segments.size(); ++i) {
    const Segment& x = a.segments[i];
    const Segment& y = b.segments[i];
    EXPECT_EQ(x.id, y.id);
    EXPECT_EQ(x.start_seconds, y.start_seconds);
    EXPECT_EQ(x.end_seconds, y.end_seconds);
    EXPECT_EQ(x.tokens, y.tokens);
    EXPECT_EQ(x.token_log_probs, y.token_log_probs);
    EXPECT_EQ(x.temperature, y.temperature);
    EXPECT_EQ(x.no_speech_probability, y.no_speech_probability);
    ASSERT_EQ(x.words.size(), y.words.size());
    for (size_t w = 0; w < x.words.size(); ++w) {
      EXPECT_EQ(x.words[w].text, y.words[w].text);
      EXPECT_EQ(x.words[w].start_seconds, y.words[w].start_seconds);
      EXPECT_EQ(x.words[w].probability, y.words[w].probability);
    }
  }
}

class BatchOfEveryKind : public Batch, public ::testing::WithParamInterface<Precision> {};

TEST_P(BatchOfEveryKind, RecordingsTogetherGiveTheBitsThatEachGivesAlone) {
  const SpeechModel model = load(GetParam());
  std::vector<TranscribeOptions> kinds(5);
  kinds[0].temperatures = {0};
  kinds[1].temperatures = {0};
  kinds[1].beams = 3;
  kinds[1].timestamps = TimestampMode::kWords;
  kinds[2].samples = 4;  // Every temperature.
  kinds[2].seed = 5;
  kinds[3].condition_on_previous = true;
  kinds[3].initial_prompt = "before";
  kinds[4].timestamps = TimestampMode::kNone;
  kinds[4].language = "de";
  kinds[4].beams = 2;
  // All kinds side by side in one batch.
  std::vector<SpeechInput> all;
  std::vector<Transcript> alone;
  for (const TranscribeOptions& options : kinds) {
    for (const SpeechInput& input : inputs(options)) {
      all.push_back(input);
      const auto transcript =
          model.transcribe(std::get<std::span<const float>>(input.audio), options);
      ASSERT_TRUE(transcript) << transcript.error().message();
      alone.push_back(*transcript);
    }
  }
  for (const int windows : {1, 2, 5, 16}) {
    const auto together = model.transcribe_batch(all, {.windows = windows});
    ASSERT_EQ(together.size(), alone.size());
    for (size_t i = 0; i < alone.size(); ++i) {
      ASSERT_TRUE(together[i]) << together[i].error().message();
      SCOPED_TRACE("input " + std::to_string(i) + ", windows " + std::to_string(windows));
      expect_equal(*together[i], alone[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPrecision, BatchOfEveryKind,
                         ::testing::Values(Precision::kF32, Precision::kBF16, Precision::kInt8),
                         [](const auto& test) { return std::string(precision_name(test.param)); });

TEST_F(Batch, OneThatFailsFailsAloneAndResultsComeInTheOrderOfTheInputs) {
  const SpeechModel model = load(Precision::kInt8);
  std::vector<SpeechInput> batch = inputs({});
  recordings_[3][2000] = std::nanf("");
  batch.insert(batch.begin() + 1, {.audio = folder_.path() / "missing.wav"});
  batch.push_back({.audio = AudioBytes{{}, "nothing"}});
  batch.push_back({.audio = std::span<const float>(recordings_[1]), .options = {.beams = 0}});
  std::vector<size_t> order;
  std::vector<bool> good;
  const auto results = model.transcribe_batch(
      batch, {.windows = 3, .on_result = [&](size_t i, const Result<Transcript>& result) {
                order.push_back(i);
                good.push_back(result.has_value());
                if (result.has_value()) {
                  EXPECT_GT(result->timings.load, 0);
                }
              }});
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(good, ElementsAre(true, false, true, true, false, true, true, true, false, false));
  ASSERT_EQ(results.size(), order.size());
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].has_value(), good[i]) << i;
  EXPECT_EQ(results[1].error().code(), Code::kNotFound);
  EXPECT_THAT(results[4].error().message(), HasSubstr("sample 2000"));
  EXPECT_THAT(results[8].error().message(), HasSubstr("nothing"));
  EXPECT_THAT(results[9].error().message(), HasSubstr("beams is 0"));
}

TEST_F(Batch, OneThatIsCancelledLeavesTheOthersAsTheyAre) {
  const SpeechModel model = load(Precision::kInt8);
  std::vector<SpeechInput> batch = inputs({});
  const auto before = model.transcribe_batch(batch);
  std::stop_source stop;
  batch[0].options.stop = stop.get_token();
  batch[3].options.on_progress = [&](double, double) { stop.request_stop(); };
  const auto results = model.transcribe_batch(batch);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().code(), Code::kCancelled);
  for (size_t i = 1; i < results.size(); ++i) {
    ASSERT_TRUE(results[i]) << results[i].error().message();
    expect_equal(*results[i], *before[i]);
  }
}

TEST_F(Batch, OfNothingGivesNothing) {
  EXPECT_TRUE(load(Precision::kInt8).transcribe_batch({}).empty());
}

TEST_F(Batch, NeedsOneToSixtyFourWindows) {
  const SpeechModel model = load(Precision::kInt8);
  for (const int windows : {0, -1, 65}) {
    const auto results = model.transcribe_batch(inputs({}), {.windows = windows});
    ASSERT_EQ(results.size(), recordings_.size());
    for (const auto& result : results) {
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
    }
  }
}

TEST_F(Batch, CutsAtSilencesNeedANetworkAndWindowsThatStandAlone) {
  const SpeechModel model = load(Precision::kInt8);
  TranscribeOptions options{.cut = Cut::kSilences};
  const auto without = model.transcribe(recordings_[1], options);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(without.error().message(), HasSubstr("voice-activity"));
  options.condition_on_previous = true;
  const auto conditioned = model.check(options);
  ASSERT_FALSE(conditioned);
  EXPECT_THAT(conditioned.error().message(), HasSubstr("text of those before"));
}

TEST_F(Batch, TimesOfTheResultsAreSharesOfTheWhole) {
  const SpeechModel model = load(Precision::kInt8);
  const auto begin = std::chrono::steady_clock::now();
  const auto results = model.transcribe_batch(inputs({}), {.windows = 4});
  const double whole =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  double sum = 0;
  for (const auto& result : results) {
    const Timings& t = result->timings;
    EXPECT_NEAR(t.total, t.preprocess + t.encode + t.prefill + t.decode, 1e-6);
    sum += t.total;
  }
  EXPECT_LE(sum, whole);
}

TEST_F(Batch, ASessionIsUsedAgainAndTakesNoMoreMemoryTheSecondTime) {
  const SpeechModel model = load(Precision::kInt8);
  EXPECT_EQ(model.memory().caches, 0u);
  ASSERT_TRUE(model.transcribe(recordings_[0]));
  const uint64_t alone = model.memory().caches;
  EXPECT_GT(alone, 0u);
  static_cast<void>(model.transcribe_batch(inputs({}), {.windows = 4}));
  const uint64_t together = model.memory().caches;
  EXPECT_GT(together, alone);
  static_cast<void>(model.transcribe_batch(inputs({}), {.windows = 4}));
  EXPECT_EQ(model.memory().caches, together);
}

TEST_F(Batch, ConcurrentBatchesGiveTheTextsOfSingleOnes) {
  const SpeechModel model = load(Precision::kInt8, 3);
  std::vector<SpeechInput> batch = inputs({.temperatures = {0, 0.5f}});
  const auto alone = model.transcribe_batch(batch);
  std::vector<std::vector<Result<Transcript>>> together(3);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < together.size(); ++i) {
    threads.emplace_back([&, i] {
      together[i] = model.transcribe_batch(batch, {.windows = static_cast<int>(2 * i + 1)});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& results : together) {
    ASSERT_EQ(results.size(), alone.size());
    for (size_t i = 0; i < alone.size(); ++i) expect_equal(*results[i], *alone[i]);
  }
}

}  // namespace
}  // namespace quintet::speech
