// What is in a file comes out of the reader, whatever the format.
#include "quintet/io/media/audio.h"

#include <gtest/gtest.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>
#include <numeric>

#include "quintet/core/file.h"

namespace quintet::io {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(QUINTET_SOURCE_DIR) / "tests/data";

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "quintet-audio-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() { fs::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

struct Sound {
  int64_t rate_hz = 0;
  int64_t channels = 0;
  std::vector<float> frames;  // [T, channels]
};

Sound read_with_libsndfile(const fs::path& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return {};
  Sound sound{info.samplerate, info.channels, {}};
  sound.frames.resize(static_cast<size_t>(info.frames * info.channels));
  const sf_count_t n = sf_readf_float(file, sound.frames.data(), info.frames);
  sound.frames.resize(static_cast<size_t>(n * info.channels));
  sf_close(file);
  return sound;
}

bool write_with_libsndfile(const fs::path& path, int format, const Sound& sound) {
  SF_INFO info{};
  info.samplerate = static_cast<int>(sound.rate_hz);
  info.channels = static_cast<int>(sound.channels);
  info.format = format;
  if (sf_format_check(&info) == 0) return false;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  if (file == nullptr) return false;
  const auto frames = static_cast<sf_count_t>(sound.frames.size()) / sound.channels;
  const bool done = sf_writef_float(file, sound.frames.data(), frames) == frames;
  return sf_close(file) == 0 && done;
}

// The whole file at once, as the libraries' manuals show it.
std::vector<float> in_one_go(const Sound& sound) {
  const auto channels = static_cast<size_t>(sound.channels);
  std::vector<float> mono(sound.frames.size() / channels);
  for (size_t t = 0; t < mono.size(); ++t) {
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) {
      sum += static_cast<double>(sound.frames[t * channels + c]);
    }
    mono[t] = static_cast<float>(sum / static_cast<double>(channels));
  }
  if (sound.rate_hz == kAudioRateHz) return mono;
  std::vector<float> out(mono.size() * kAudioRateHz / static_cast<size_t>(sound.rate_hz) + 1000);
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  size_t done = 0;
  soxr_oneshot(static_cast<double>(sound.rate_hz), kAudioRateHz, 1, mono.data(), mono.size(),
               nullptr, out.data(), out.size(), &done, &io, &quality, nullptr);
  out.resize(done);
  return out;
}

std::vector<fs::path> encoded_files() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(kData / "audio-formats")) {
    if (entry.path().extension() != ".md") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<float> read_in_chunks(const fs::path& path, size_t chunk) {
  auto reader = AudioReader::open(path);
  EXPECT_TRUE(reader) << reader.error().message();
  std::vector<float> samples;
  std::vector<float> piece(chunk);
  while (reader) {
    const auto n = reader->read(piece);
    EXPECT_TRUE(n) << n.error().message();
    if (!n || *n == 0) break;
    samples.insert(samples.end(), piece.begin(), piece.begin() + *n);
  }
  return samples;
}

double energy(std::span<const float> samples) {
  return std::inner_product(samples.begin(), samples.end(), samples.begin(), 0.0);
}

TEST(AudioReader, EveryEncodingEqualsTheLibrariesUsedDirectly) {
  const std::vector<fs::path> paths = encoded_files();
  ASSERT_EQ(paths.size(), 8U);
  for (const fs::path& path : paths) {
    SCOPED_TRACE(path.filename());
    const auto samples = read_audio(path);
    ASSERT_TRUE(samples) << samples.error().message();
    const std::vector<float> expected = in_one_go(read_with_libsndfile(path));
    ASSERT_EQ(samples->size(), expected.size());
    for (size_t t = 0; t < expected.size(); ++t) ASSERT_NEAR((*samples)[t], expected[t], 1e-5);
  }
}

TEST(AudioReader, SixteenBitSamplesAreExact) {
  SF_INFO info{};
  SNDFILE* file = sf_open((kData / "speech/jfk.wav").c_str(), SFM_READ, &info);
  ASSERT_NE(file, nullptr);
  std::vector<short> expected(static_cast<size_t>(info.frames));
  ASSERT_EQ(sf_readf_short(file, expected.data(), info.frames), info.frames);
  sf_close(file);
  const auto samples = read_audio(kData / "speech/jfk.wav");
  ASSERT_TRUE(samples) << samples.error().message();
  ASSERT_EQ(samples->size(), expected.size());
  for (size_t t = 0; t < expected.size(); ++t) {
    ASSERT_EQ((*samples)[t], static_cast<float>(expected[t]) / 32768.0F) << "at " << t;
  }
}

TEST(AudioReader, InfoTellsWhatTheFileHolds) {
  const auto reader = AudioReader::open(kData / "audio-formats/audio-stereo-32-bit-44100Hz.wav");
  ASSERT_TRUE(reader) << reader.error().message();
  EXPECT_EQ(reader->info().sample_rate_hz, 44100);
  EXPECT_EQ(reader->info().channels, 2);
  EXPECT_EQ(reader->info().frames, 121052);
  EXPECT_EQ(reader->info().format, "WAV 32-bit PCM");
}

TEST(AudioReader, ChunksOfAnySizeGiveTheSameSamples) {
  for (const char* name : {"audio-stereo-16-bit-44100Hz.flac", "jfk.mp3", "french.aiff"}) {
    SCOPED_TRACE(name);
    const fs::path path = kData / "audio-formats" / name;
    const auto whole = read_audio(path);
    ASSERT_TRUE(whole) << whole.error().message();
    for (const size_t chunk : {1U, 7U, 160U, 4097U, 1000000U}) {
      EXPECT_TRUE(read_in_chunks(path, chunk) == *whole) << "chunks of " << chunk;
    }
  }
}

TEST(AudioReader, MemoryGivesTheSameSamplesAsTheFile) {
  for (const fs::path& path : encoded_files()) {
    SCOPED_TRACE(path.filename());
    const auto content = read_file(path, 1 << 24);
    ASSERT_TRUE(content) << content.error().message();
    const auto from_memory = read_audio(std::as_bytes(std::span(*content)), "memory");
    const auto from_file = read_audio(path);
    ASSERT_TRUE(from_memory) << from_memory.error().message();
    ASSERT_TRUE(from_file) << from_file.error().message();
    EXPECT_TRUE(*from_memory == *from_file);
  }
}

TEST(AudioReader, AfterTheEndThereIsNothing) {
  auto reader = AudioReader::open(kData / "audio-formats/chinese.flac");
  ASSERT_TRUE(reader) << reader.error().message();
  std::vector<float> samples(100000);
  EXPECT_EQ(reader->read({}).value(), 0);
  EXPECT_EQ(reader->read(samples).value(), 15303);
  EXPECT_EQ(reader->read(samples).value(), 0);
  EXPECT_EQ(reader->read(samples).value(), 0);
}

TEST(AudioReader, MovedReaderGoesOnWhereItWas) {
  const auto whole = read_audio(kData / "audio-formats/french.aiff");
  ASSERT_TRUE(whole) << whole.error().message();
  auto first = AudioReader::open(kData / "audio-formats/french.aiff");
  ASSERT_TRUE(first) << first.error().message();
  std::vector<float> samples(2000);
  ASSERT_EQ(first->read(std::span(samples).first(1000)).value(), 1000);
  AudioReader second = std::move(*first);
  ASSERT_EQ(second.read(std::span(samples).last(1000)).value(), 1000);
  EXPECT_TRUE(std::equal(samples.begin(), samples.end(), whole->begin()));
}

TEST(AudioReader, Mp3OfARecordingHasItsLengthAndEnergy) {
  const auto mp3 = read_audio(kData / "audio-formats/jfk.mp3");
  const auto wav = read_audio(kData / "speech/jfk.wav");
  ASSERT_TRUE(mp3) << mp3.error().message();
  ASSERT_TRUE(wav) << wav.error().message();
  EXPECT_NEAR(static_cast<double>(mp3->size()), static_cast<double>(wav->size()), 1600);
  EXPECT_NEAR(energy(*mp3) / energy(*wav), 1.0, 0.02);
}

TEST(AudioReader, FloatSamplesBeyondOneAreKept) {
  const TempFolder folder;
  const Sound sound{kAudioRateHz, 1, {0.5F, 1.5F, -7.25F, 1e20F, -1.0F}};
  for (const int coding : {SF_FORMAT_FLOAT, SF_FORMAT_DOUBLE}) {
    ASSERT_TRUE(write_with_libsndfile(folder / "loud.wav", SF_FORMAT_WAV | coding, sound));
    const auto samples = read_audio(folder / "loud.wav");
    ASSERT_TRUE(samples) << samples.error().message();
    EXPECT_EQ(*samples, sound.frames);
  }
}

TEST(AudioReader, ChannelsAreAveraged) {
  const TempFolder folder;
  const Sound sound{kAudioRateHz, 4, {1.0F, 0.5F, -0.5F, 0.0F, 0.25F, 0.25F, 0.25F, 0.25F}};
  ASSERT_TRUE(write_with_libsndfile(folder / "four.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound));
  const auto samples = read_audio(folder / "four.wav");
  ASSERT_TRUE(samples) << samples.error().message();
  EXPECT_EQ(*samples, (std::vector<float>{0.25F, 0.25F}));
}

// ---- Every format that libsndfile writes here

struct Format {
  const char* name;
  int format;
  double tolerance;  // Of the root of the mean squared error, with a sine of 0.3.
};

// Integers are rounded to half a step (8 bits: 0.004); the lossy codings have measured margins.
constexpr Format kFormats[] = {
    {"WavU8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 0.005},
    {"Wav16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1e-4},
    {"Wav24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 1e-4},
    {"Wav32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1e-4},
    {"WavFloat", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1e-4},
    {"WavDouble", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 1e-4},
    {"WavUlaw", SF_FORMAT_WAV | SF_FORMAT_ULAW, 0.01},
    {"WavAlaw", SF_FORMAT_WAV | SF_FORMAT_ALAW, 0.01},
    {"WavImaAdpcm", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 0.03},
    {"WavMsAdpcm", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, 0.03},
    {"WavExtensible", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 1e-4},
    {"WavBigEndian", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 1e-4},
    {"Rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1e-4},
    {"Flac8", SF_FORMAT_FLAC | SF_FORMAT_PCM_S8, 0.005},
    {"Flac16", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1e-4},
    {"Flac24", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 1e-4},
    {"Aiff8", SF_FORMAT_AIFF | SF_FORMAT_PCM_S8, 0.005},
    {"Aiff16", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1e-4},
    {"Aiff24", SF_FORMAT_AIFF | SF_FORMAT_PCM_24, 1e-4},
    {"Aiff32", SF_FORMAT_AIFF | SF_FORMAT_PCM_32, 1e-4},
    {"AiffFloat", SF_FORMAT_AIFF | SF_FORMAT_FLOAT, 1e-4},
    {"AiffDouble", SF_FORMAT_AIFF | SF_FORMAT_DOUBLE, 1e-4},
    {"Vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.03},
    {"Opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 0.03},
    {"Mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.03},
};

// The value at `t` seconds of a sine of amplitude 0.3. Low, because the lossy codings take the
// sixth channel for a subwoofer's.
double sine(double t) { return 0.3 * std::sin(2 * std::numbers::pi * 100 * t); }

// The channels have different amplitudes, 0.3 on average.
Sound sine_sound(int64_t rate_hz, int64_t channels, double seconds) {
  Sound sound{rate_hz, channels, {}};
  const auto frames = static_cast<int64_t>(seconds * static_cast<double>(rate_hz));
  for (int64_t t = 0; t < frames; ++t) {
    const double value = sine(static_cast<double>(t) / static_cast<double>(rate_hz));
    for (int64_t c = 0; c < channels; ++c) {
      const double gain = 2.0 * static_cast<double>(c + 1) / static_cast<double>(channels + 1);
      sound.frames.push_back(static_cast<float>(gain * value));
    }
  }
  return sound;
}

void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

class AudioFormat : public testing::TestWithParam<Format> {};

TEST_P(AudioFormat, SineOfAnyRateAndChannelsComesBack) {
  constexpr double kSeconds = 0.5;
  // The resampler's and the codecs' answer to the sudden start and end.
  constexpr size_t kEdge = 800;
  const TempFolder folder;
  int written = 0;
  for (const int64_t rate_hz : {8000, 11025, 16000, 22050, 44100, 48000, 96000}) {
    for (const int64_t channels : {1, 2, 6}) {
      SCOPED_TRACE(std::to_string(rate_hz) + " Hz, " + std::to_string(channels) + " channels");
      const fs::path path = folder / "sine";
      const Sound sound = sine_sound(rate_hz, channels, kSeconds);
      // Not every format has every rate and number of channels.
      if (!write_with_libsndfile(path, GetParam().format, sound)) continue;
      ++written;
      const auto samples = read_audio(path);
      ASSERT_TRUE(samples) << samples.error().message();
      // The blocks of ADPCM and MP3 are filled up with silence.
      ASSERT_NEAR(static_cast<double>(samples->size()), kSeconds * kAudioRateHz,
                  0.2 * kAudioRateHz);
      ASSERT_GE(static_cast<double>(samples->size()), kSeconds * kAudioRateHz - 2);
      double squares = 0;
      const auto end = static_cast<size_t>(kSeconds * kAudioRateHz) - kEdge;
      for (size_t t = kEdge; t < end; ++t) {
        const double expected = sine(static_cast<double>(t) / kAudioRateHz);
        squares += std::pow(static_cast<double>((*samples)[t]) - expected, 2);
      }
      EXPECT_LT(std::sqrt(squares / static_cast<double>(end - kEdge)), GetParam().tolerance);
    }
  }
  if (written == 0) GTEST_SKIP() << "the installed libsndfile does not write this format";
}

INSTANTIATE_TEST_SUITE_P(, AudioFormat, testing::ValuesIn(kFormats),
                         [](const auto& test) { return std::string(test.param.name); });

// ---- Memory

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0;
  file >> pages >> pages;
  return pages * 4096;
}

TEST(AudioReader, AnHourNeedsNoMoreMemoryThanASecond) {
  constexpr int64_t kRateHz = 8000;
  const TempFolder folder;
  const fs::path path = folder / "hour.wav";
  ASSERT_TRUE(
      write_with_libsndfile(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, sine_sound(kRateHz, 1, 1.0)));
  // An hour: the second of sound and a hole of zeros that takes no room on the disk.
  const uint32_t data_bytes = kRateHz * 2 * 3600;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (const auto& [at, value] : {std::pair(4, data_bytes + 36), std::pair(40, data_bytes)}) {
    file.seekp(at);
    for (int i = 0; i < 4; ++i) file.put(static_cast<char>(value >> (8 * i)));
  }
  file.close();
  fs::resize_file(path, 44 + data_bytes);

  auto reader = AudioReader::open(path);
  ASSERT_TRUE(reader) << reader.error().message();
  std::vector<float> samples(kAudioRateHz);
  ASSERT_EQ(reader->read(samples).value(), kAudioRateHz);
  const int64_t after_a_second = resident_bytes();
  int64_t total = kAudioRateHz;
  while (true) {
    const auto n = reader->read(samples);
    ASSERT_TRUE(n) << n.error().message();
    if (*n == 0) break;
    total += *n;
  }
  EXPECT_EQ(total, 3600 * kAudioRateHz);
  EXPECT_LT(resident_bytes() - after_a_second, 4 << 20);
}

}  // namespace
}  // namespace quintet::io
