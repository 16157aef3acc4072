#include "quintet/kernels/mel/mel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quintet/core/file.h"
#include "quintet/kernels/mel/mel_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(Mel);

// Values of at most 10 in float32, from energies in double.
constexpr double kTolerance = 2e-6;

struct Spectrogram {
  std::vector<float> values;  // [frames, bins]
  float largest = 0.0f;
};

Spectrogram log_mel_of(std::span<const float> audio, int64_t frames, int64_t bins,
                       int threads = 1) {
  ThreadPool pool(threads);
  Spectrogram out{std::vector<float>(static_cast<size_t>(frames * bins), 77.0f)};
  out.largest = MelFilter(bins).log_mel(audio, matrix(out.values.data(), frames, bins), pool);
  return out;
}

// A rising tone and some noise, from integers alone: the same on every machine.
std::vector<float> chirp(int64_t samples) {
  std::vector<float> audio;
  uint32_t state = 1;
  for (int64_t i = 0; i < samples; ++i) {
    state = state * 1664525u + 1013904223u;
    const double noise = static_cast<double>(state >> 8) / (1 << 24) - 0.5;
    const double t = static_cast<double>(i) / static_cast<double>(kMelSampleRateHz);
    audio.push_back(static_cast<float>(0.4 * std::sin(2000.0 * t + 9000.0 * t * t) + 0.01 * noise));
  }
  return audio;
}

void expect_log_mel_of(std::span<const float> audio, int64_t frames, int64_t bins,
                       std::span<const int64_t> checked) {
  const Spectrogram got = log_mel_of(audio, frames, bins);
  for (const int64_t frame : checked) {
    const std::vector<double> expected = log_mel_ref(audio, frames, frame, bins);
    for (int64_t b = 0; b < bins; ++b) {
      ASSERT_NEAR(static_cast<double>(got.values[static_cast<size_t>(frame * bins + b)]),
                  expected[static_cast<size_t>(b)], kTolerance)
          << "frame " << frame << " of " << frames << ", bin " << b << " of " << bins << ", "
          << audio.size() << " samples";
    }
  }
  EXPECT_EQ(got.largest, *std::max_element(got.values.begin(), got.values.end()));
}

TEST_P(Mel, EqualsTheDefinition) {
  constexpr int64_t kFrames = 83;
  const std::vector<float> audio = chirp(kFrames * kMelHopSamples);
  const std::vector<int64_t> checked = {0, 1, 2, 7, 8, 30, 31, 32, 63, 64, 79, 80, 81, 82};
  for (const int64_t bins : {80, 128}) expect_log_mel_of(audio, kFrames, bins, checked);
}

TEST_P(Mel, AnyNumberOfBinsWorks) {
  const std::vector<float> audio = chirp(3 * kMelHopSamples);
  const std::vector<int64_t> checked = {0, 1, 2};
  // 256 triangles are narrower than the distance of two frequencies: some are empty.
  for (const int64_t bins : {1, 2, 40, 256}) expect_log_mel_of(audio, 3, bins, checked);
}

TEST_P(Mel, ShortAudioIsPaddedWithZerosAndLongAudioIsCut) {
  const std::vector<float> audio = chirp(40 * kMelHopSamples);
  const std::vector<int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  for (const int64_t samples : {1, 159, 160, 200, 201, 1000, 1919, 1920, 1921, 2120, 6400}) {
    expect_log_mel_of(std::span(audio).first(static_cast<size_t>(samples)), 12, 80, all);
  }
}

TEST_P(Mel, TinySpectrogramsReflectMoreThanOnce) {
  const std::vector<float> audio = chirp(1000);
  for (const int64_t frames : {1, 2, 3}) {
    const std::vector<int64_t> last = {0, frames - 1};
    expect_log_mel_of(audio, frames, 80, last);
  }
}

TEST_P(Mel, ReadsNothingPastTheAudio) {
  for (const int64_t samples : {1, 500, 1600, 1677}) {
    const std::vector<float> audio = chirp(samples);
    GuardedArray<float> guarded{std::span<const float>(audio)};
    const std::span<const float> view(guarded.data(), audio.size());
    EXPECT_EQ(log_mel_of(view, 10, 80).values, log_mel_of(audio, 10, 80).values);
    EXPECT_EQ(log_mel_of(view, 50, 80).values, log_mel_of(audio, 50, 80).values);
  }
}

TEST_P(Mel, SilenceIsTheFloorWhetherOrNotItIsTransformed) {
  const Spectrogram nothing = log_mel_of({}, 40, 80);
  EXPECT_TRUE(std::all_of(nothing.values.begin(), nothing.values.end(),
                          [](float x) { return x == -10.0f; }));
  EXPECT_EQ(nothing.largest, -10.0f);
  // One sample in frame 20 and its neighbours: other frames of their vector are silent.
  std::vector<float> audio(40 * kMelHopSamples, 0.0f);
  audio[20 * kMelHopSamples] = 0.5f;
  const Spectrogram click = log_mel_of(audio, 40, 80);
  for (int64_t i = 0; i < 40 * 80; ++i) {
    const int64_t frame = i / 80;
    const bool heard = frame >= 19 && frame <= 21;
    if (heard) continue;
    EXPECT_EQ(click.values[static_cast<size_t>(i)], -10.0f) << frame;
  }
  EXPECT_GT(click.values[20 * 80 + 40], -5.0f);
}

TEST_P(Mel, FrameGivesTheSameBitsInEveryPositionThreadAndIsa) {
  constexpr int64_t kFrames = 100;
  const std::vector<float> audio = chirp((kFrames + 7) * kMelHopSamples);
  const Spectrogram whole = log_mel_of(audio, kFrames, 80);
  EXPECT_EQ(log_mel_of(audio, kFrames, 80, 2).values, whole.values);
  for (const int64_t shift : {1, 3, 5}) {
    const Spectrogram later = log_mel_of(
        std::span(audio).subspan(static_cast<size_t>(shift * kMelHopSamples)), kFrames, 80);
    // Without the two frames at either end, which see the reflection.
    EXPECT_TRUE(std::equal(whole.values.begin() + (2 + shift) * 80, whole.values.end() - 2 * 80,
                           later.values.begin() + 2 * 80))
        << shift;
  }
  set_active_isa(Isa::kBase);
  EXPECT_EQ(log_mel_of(audio, kFrames, 80).values, whole.values);
}

TEST_P(Mel, BrokenSamplesDoNotBreakTheProgram) {
  std::vector<float> audio = chirp(20 * kMelHopSamples);
  audio[500] = std::numeric_limits<float>::quiet_NaN();
  audio[1500] = std::numeric_limits<float>::infinity();
  audio[2500] = std::numeric_limits<float>::max();
  const Spectrogram got = log_mel_of(audio, 20, 80);
  EXPECT_EQ(got.values.size(), 20u * 80u);
}

TEST_P(Mel, WritesOnlyItsColumns) {
  const std::vector<float> audio = chirp(5 * kMelHopSamples);
  std::vector<float> room(5 * 100, 77.0f);
  const MatrixView<float> view = {room.data(), 5, 80, 100};
  ThreadPool pool(1);
  normalize_log_mel(view, MelFilter(80).log_mel(audio, view, pool));
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t j = 80; j < 100; ++j) EXPECT_EQ(room[static_cast<size_t>(i * 100 + j)], 77.0f);
  }
}

TEST_P(Mel, NormalizationClampsEightBelowTheLargest) {
  std::vector<float> x = {1.0f, -7.0f, -7.5f, -10.0f};
  normalize_log_mel(matrix(x.data(), 2, 2), 1.0f);
  EXPECT_EQ(x, (std::vector<float>{1.25f, -0.75f, -0.75f, -0.75f}));
}

TEST_P(Mel, SpeechEqualsTheGolden) {
  const std::string folder = std::string(QUINTET_SOURCE_DIR) + "/tests/goldens/mel/";
  const auto pcm = MappedFile::open(folder + "jfk-2s.pcm");
  const auto golden = MappedFile::open(folder + "jfk-2s.mel");
  ASSERT_TRUE(pcm.has_value() && golden.has_value());
  std::vector<int16_t> samples((*pcm)->bytes().size() / sizeof(int16_t));
  std::memcpy(samples.data(), (*pcm)->bytes().data(), samples.size() * sizeof(int16_t));
  std::vector<float> expected(200 * 80);
  ASSERT_EQ((*golden)->bytes().size(), expected.size() * sizeof(float));
  std::memcpy(expected.data(), (*golden)->bytes().data(), expected.size() * sizeof(float));

  std::vector<float> audio;
  for (const int16_t sample : samples) audio.push_back(static_cast<float>(sample) / 32768.0f);
  // One frame more than compared: the end of the audio is reflected, that of the golden was not.
  std::vector<float> got = log_mel_of(audio, 201, 80).values;
  got.resize(expected.size());
  normalize_log_mel(matrix(got.data(), 200, 80), *std::max_element(got.begin(), got.end()));
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], 1e-4f) << "frame " << i / 80 << ", bin " << i % 80;
  }
}

}  // namespace
}  // namespace quintet::kernels
