#include "quintet/engine/speech/voice_activity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "quintet/core/env.h"
#include "quintet/engine/models/silero/test_weights.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/formats/test_files.h"
#include "quintet/io/media/audio.h"

namespace quintet::speech {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kSource = QUINTET_SOURCE_DIR;

fs::path model_folder() {
  return fs::path(env("QUINTET_TEST_MODELS").value_or((kSource / "models").string())) /
         "silero-vad";
}

std::vector<float> read_samples(const fs::path& file) {
  auto reader = io::AudioReader::open(file).value();
  WindowReader window(reader);
  const auto samples = window.window(0, int64_t{1} << 30).value();
  return {samples.begin(), samples.end()};
}

// 48000 samples in [-0.25, 0.25), those of make_goldens.py.
std::vector<float> noise() {
  uint64_t state = 1;
  std::vector<float> samples;
  for (int i = 0; i < 48000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    samples.push_back(static_cast<float>(state >> 40) / static_cast<float>(1 << 25) - 0.25F);
  }
  return samples;
}

class VoiceActivityGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(model_folder())) {
      if (env("QUINTET_TEST_MODELS")) FAIL() << model_folder() << " is not there";
      GTEST_SKIP() << model_folder() << " is not there and QUINTET_TEST_MODELS is not set";
    }
    auto loaded = VoiceActivity::load(model_folder());
    ASSERT_TRUE(loaded) << loaded.error().message();
    activity_.emplace(*std::move(loaded));
  }

  // The goldens come from the same float32 network: what differs is the order of the sums.
  void expect_golden(const std::vector<float>& samples, const char* name) {
    const auto file = io::read_weights(kSource / "tests/goldens/silero-vad/golden.safetensors");
    ASSERT_TRUE(file) << file.error().message();
    const std::vector<float> expected = io::to_f32(*file->find(name)).value();
    const std::vector<float> p = activity_->probabilities(samples, pool_);
    ASSERT_EQ(p.size(), expected.size());
    for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], expected[i], 1e-4F) << i;
  }

  ThreadPool pool_{2};
  std::optional<VoiceActivity> activity_;
};

TEST_F(VoiceActivityGolden, SpeechIsAsLikelyAsInThePublishedNetwork) {
  expect_golden(read_samples(kSource / "tests/data/speech/jfk.wav"), "jfk");
}

TEST_F(VoiceActivityGolden, NoiseIsAsLikelyAsInThePublishedNetwork) {
  expect_golden(noise(), "noise");
}

TEST_F(VoiceActivityGolden, OnlySpeechGivesWindows) {
  const std::vector<float> speech = read_samples(kSource / "tests/data/speech/jfk.wav");
  std::vector<float> samples = noise();
  const auto speech_begin = std::ssize(samples);
  samples.insert(samples.end(), speech.begin(), speech.end());
  const auto speech_end = std::ssize(samples);
  samples.resize(samples.size() + 160'000, 0.0F);
  WindowReader reader(samples);
  SpeechWindowReader windows(*activity_, reader, pool_);
  const auto window = windows.next();
  ASSERT_TRUE(window && *window);
  EXPECT_GE((*window)->begin, speech_begin - 3200);
  EXPECT_LE((*window)->begin, speech_begin + 8000);  // The address begins after 0.3 s.
  EXPECT_GE((*window)->end, speech_end - 8000);
  EXPECT_LE((*window)->end, speech_end + 4800);
  EXPECT_FALSE(windows.next().value());
}

// Random weights.
VoiceActivity random_activity(const io::testing::TemporaryFolder& folder) {
  silero::testing::RandomFile random(1);
  std::vector<io::TensorEntry> entries;
  for (const auto& [name, tensor] : random.file().tensors) {
    entries.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  EXPECT_TRUE(io::write_safetensors(folder / "model.safetensors", entries));
  return VoiceActivity::load(folder.path()).value();
}

TEST(VoiceActivity, StreamGivesTheSameBitsWhateverThePieces) {
  const io::testing::TemporaryFolder folder;
  const VoiceActivity activity = random_activity(folder);
  const std::vector<float> samples = noise();
  ThreadPool pool(2);
  const std::vector<float> whole = activity.probabilities(samples, pool);
  ASSERT_EQ(whole.size(), 94U);
  for (const size_t piece : {1U, 511U, 512U, 513U, 20000U}) {
    VoiceActivityStream stream(activity, pool);
    std::vector<float> out;
    for (size_t at = 0; at < samples.size(); at += piece) {
      stream.add(std::span(samples).subspan(at, std::min(piece, samples.size() - at)), out);
    }
    EXPECT_EQ(out.size(), 93U);
    stream.finish(out);
    EXPECT_EQ(out, whole) << piece;
  }
}

TEST(VoiceActivity, WindowsOfAReaderAreThoseOfTheWhole) {
  const io::testing::TemporaryFolder folder;
  const VoiceActivity activity = random_activity(folder);
  ThreadPool pool(2);
  std::vector<float> samples;  // 50 s whose level goes up and down.
  for (int round = 0; round < 17; ++round) {
    for (const float x : noise()) {
      const auto at = static_cast<double>(samples.size());
      samples.push_back(x * static_cast<float>(1.0 + std::sin(at / 9000.0)));
    }
  }
  const std::vector<float> probabilities = activity.probabilities(samples, pool);
  std::vector<float> sorted = probabilities;
  std::sort(sorted.begin(), sorted.end());
  // Random weights know no speech: whatever lies above the middle shall be it.
  const VadOptions options{.threshold = sorted[sorted.size() / 2],
                           .exit_threshold = sorted[sorted.size() * 2 / 5],
                           .max_window_ms = 5000,
                           .long_silence_ms = 500};
  const auto expected = speech_windows(probabilities, std::ssize(samples), options);
  ASSERT_GT(expected.size(), 5U);
  WindowReader reader(samples);
  SpeechWindowReader windows(activity, reader, pool, options);
  for (const SpeechWindow& window : expected) {
    const auto next = windows.next();
    ASSERT_TRUE(next && *next);
    EXPECT_EQ(**next, window);
    // Its samples can still be had.
    const auto got = reader.window(window.begin, window.end - window.begin);
    ASSERT_TRUE(got);
    ASSERT_EQ(std::ssize(*got), window.end - window.begin);
    EXPECT_EQ(got->front(), samples[static_cast<size_t>(window.begin)]);
    EXPECT_EQ(got->back(), samples[static_cast<size_t>(window.end - 1)]);
  }
  EXPECT_FALSE(windows.next().value());
  EXPECT_FALSE(windows.next().value());
}

TEST(VoiceActivity, NoAudioHasNoWindows) {
  const io::testing::TemporaryFolder folder;
  const VoiceActivity activity = random_activity(folder);
  ThreadPool pool(1);
  EXPECT_TRUE(activity.probabilities({}, pool).empty());
  WindowReader reader(std::span<const float>{});
  EXPECT_FALSE(SpeechWindowReader(activity, reader, pool).next().value());
}

TEST(VoiceActivity, ErrorsNameTheFile) {
  const io::testing::TemporaryFolder folder;
  const auto missing = VoiceActivity::load(folder / "nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  const auto other = VoiceActivity::load(kSource / "tests/goldens/tiny-whisper");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kCorrupt);
  EXPECT_THAT(other.error().message(), HasSubstr("tiny-whisper"));
  EXPECT_THAT(other.error().message(), HasSubstr("stft_conv.weight is missing"));
}

TEST(VoiceActivity, ErrorsOfTheReaderArrive) {
  const io::testing::TemporaryFolder folder;
  const VoiceActivity activity = random_activity(folder);
  ThreadPool pool(1);
  const std::vector<float> samples(1000, std::nanf(""));
  WindowReader reader(samples);
  const auto next = SpeechWindowReader(activity, reader, pool).next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace quintet::speech
