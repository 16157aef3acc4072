#include "quintet/engine/speech/speech_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "quintet/engine/speech/test_windows.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::speech {
namespace {

using testing::checked_windows;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 16000;

// Probabilities by the second: `speech` where somebody speaks, 0.02 elsewhere.
class Audio {
 public:
  Audio& say(double seconds, float speech = 0.98F) { return append(seconds, speech); }
  Audio& pause(double seconds) { return append(seconds, 0.02F); }

  std::vector<SpeechWindow> windows(const VadOptions& options = {}) const {
    return checked_windows(probabilities_, samples(), options, 7);
  }
  int64_t samples() const { return std::ssize(probabilities_) * kVadChunkSamples; }
  std::vector<float>& probabilities() { return probabilities_; }

 private:
  Audio& append(double seconds, float p) {
    const auto count = static_cast<size_t>(std::lround(seconds * 31.25));
    probabilities_.insert(probabilities_.end(), count, p);
    return *this;
  }
  std::vector<float> probabilities_;
};

double seconds(int64_t samples) { return static_cast<double>(samples) / kSecond; }

TEST(SpeechWindows, AudioWithoutSpeechGivesNone) {
  EXPECT_THAT(Audio().pause(100).windows(), IsEmpty());
  EXPECT_THAT(Audio().windows(), IsEmpty());
  EXPECT_THAT(Audio().say(60, 0.49F).windows(), IsEmpty());
}

TEST(SpeechWindows, SilenceAtTheBordersIsDroppedButForThePadding) {
  const auto windows = Audio().pause(8).say(4).pause(16).windows();
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0], (SpeechWindow{8 * kSecond - 3200, 12 * kSecond + 3200}));
}

TEST(SpeechWindows, PausesInsideAWindowStay) {
  const auto windows = Audio().say(4).pause(1.6).say(4).pause(2.4).say(4).windows();
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0], (SpeechWindow{0, 16 * kSecond}));
}

TEST(SpeechWindows, LongSilenceEndsAWindow) {
  const auto windows = Audio().say(4).pause(3.2).say(4).windows();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0], (SpeechWindow{0, 4 * kSecond + 3200}));
  EXPECT_EQ(windows[1].begin, 4 * kSecond + 51200 - 3200);
}

TEST(SpeechWindows, FullWindowIsCutInItsLastSilence) {
  // Sentences of 8 s: the fourth does not fit into 30 s.
  Audio audio;
  for (int i = 0; i < 6; ++i) audio.say(8).pause(0.64);
  const auto windows = audio.windows();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].begin, 0);
  EXPECT_NEAR(seconds(windows[0].end), 3 * 8.64 - 0.44, 0.05);
  EXPECT_NEAR(seconds(windows[1].begin), 3 * 8.64 - 0.2, 0.05);
}

TEST(SpeechWindows, LongestSilenceOfTheLastThirdIsPreferred) {
  Audio audio;
  audio.say(10).pause(2.4).say(10).pause(0.8).say(3).pause(0.32).say(3).pause(0.32).say(4);
  const auto windows = audio.windows();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_NEAR(seconds(windows[0].end), 22.4 + 0.2, 0.05);
}

TEST(SpeechWindows, SilenceBeforeTheLastThirdIsBetterThanNone) {
  const auto windows = Audio().say(3).pause(0.64).say(28).windows();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_NEAR(seconds(windows[0].end), 3.2, 0.05);
  EXPECT_NEAR(seconds(windows[1].begin), 3.44, 0.05);
}

TEST(SpeechWindows, ShortSilenceIsSharedByItsNeighbours) {
  const auto windows = Audio().say(20).pause(0.2).say(20).windows();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].end, windows[1].begin);
  EXPECT_NEAR(seconds(windows[0].end), 20.1, 0.05);
}

TEST(SpeechWindows, SpeechWithoutAPauseIsCutWhereItIsLeastLikely) {
  Audio audio;
  audio.say(25).say(0.064, 0.6F).say(45);
  const auto windows = audio.windows();
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_NEAR(seconds(windows[0].end), 25.03, 0.05);
  EXPECT_EQ(windows[0].end, windows[1].begin);
  // Nothing tells one moment from another: as late as may be.
  EXPECT_NEAR(seconds(windows[1].end - windows[1].begin), 30, 0.05);
  EXPECT_EQ(windows[2].end, audio.samples());
}

TEST(SpeechWindows, BlipsAreNoSpeech) {
  EXPECT_THAT(Audio().pause(5).say(0.2).pause(5).say(0.2).windows(), IsEmpty());
  EXPECT_EQ(Audio().pause(5).say(0.32).pause(5).windows().size(), 1U);
}

TEST(SpeechWindows, LastChunkMayBeShort) {
  Audio audio;
  audio.say(4);
  const int64_t samples = audio.samples() - 500;
  EXPECT_THAT(speech_windows(audio.probabilities(), samples),
              ElementsAre(SpeechWindow{0, samples}));
}

TEST(SpeechWindows, SmallerWindowsAreFilledToo) {
  Audio audio;
  for (int i = 0; i < 20; ++i) audio.say(1.6).pause(0.32);
  const auto windows = audio.windows({.max_window_ms = 10'000});
  ASSERT_EQ(windows.size(), 4U);
  for (const SpeechWindow& window : windows) EXPECT_GT(window.end - window.begin, 9 * kSecond);
}

TEST(SpeechWindows, AnyProbabilitiesKeepTheRules) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  const auto up_to = [&](int64_t n) { return static_cast<int64_t>(engine() % (n + 1)); };
  for (int round = 0; round < 300; ++round) {
    std::vector<float> p;
    while (p.size() < 4000) {
      const float level = uniform(engine);
      const auto count = static_cast<size_t>(up_to(round % 3 == 0 ? 2000 : 40));
      for (size_t i = 0; i < count; ++i) p.push_back(0.7F * level + 0.3F * uniform(engine));
    }
    const VadOptions options{.exit_threshold = round % 4 == 0 ? 0.7F : 0.35F,
                             .min_speech_ms = up_to(500),
                             .min_silence_ms = up_to(500),
                             .padding_ms = up_to(700),
                             .max_window_ms = 1000 + up_to(29'000),
                             .long_silence_ms = up_to(5000)};
    const int64_t samples = std::ssize(p) * kVadChunkSamples - up_to(kVadChunkSamples - 1);
    checked_windows(p, samples, options, static_cast<size_t>(1 + up_to(999)));
  }
}

TEST(SpeechWindows, NoSpeechIsLost) {
  std::mt19937 engine(2);
  for (int round = 0; round < 50; ++round) {
    Audio audio;
    for (int i = 0; i < 30; ++i) {
      audio.say(static_cast<double>(engine() % 40) * 0.32 + 0.32);
      audio.pause(static_cast<double>(engine() % 20) * 0.16 + 0.16);
    }
    std::vector<bool> covered(audio.probabilities().size());
    for (const SpeechWindow& window : audio.windows()) {
      for (int64_t at = window.begin; at < window.end; ++at) {
        covered[static_cast<size_t>(at / kVadChunkSamples)] = true;
      }
    }
    for (size_t i = 0; i < covered.size(); ++i) {
      EXPECT_TRUE(covered[i] || audio.probabilities()[i] < 0.5F) << i;
    }
  }
}

void expect_published_spans(const char* name, VadOptions options) {
  const auto golden = io::read_weights(std::filesystem::path(QUINTET_SOURCE_DIR) /
                                       "tests/goldens/silero-vad/golden.safetensors");
  ASSERT_TRUE(golden) << golden.error().message();
  const std::vector<float> walk = io::to_f32(*golden->find("walk")).value();
  const std::vector<float> spans = io::to_f32(*golden->find(name)).value();
  // Without padding, and ended by any silence, every span is a window of its own.
  options.padding_ms = 0;
  options.max_window_ms = 1'000'000;
  options.long_silence_ms = 0;
  const auto windows = speech_windows(walk, std::ssize(walk) * kVadChunkSamples, options);
  ASSERT_EQ(windows.size() * 2, spans.size());
  ASSERT_GT(windows.size(), 20U);
  for (size_t i = 0; i < windows.size(); ++i) {
    EXPECT_EQ(static_cast<float>(windows[i].begin), spans[2 * i]);
    EXPECT_EQ(static_cast<float>(windows[i].end), spans[2 * i + 1]);
  }
}

TEST(SpeechWindows, SpansAreThoseOfThePublishedCode) { expect_published_spans("walk_spans", {}); }

TEST(SpeechWindows, SpansOfJustTheLeastLengthsAreThoseOfThePublishedCode) {
  expect_published_spans("exact_spans", {.min_speech_ms = 416, .min_silence_ms = 192});
}

}  // namespace
}  // namespace quintet::speech
