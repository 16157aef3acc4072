// Whatever is wrong with a file ends in one clear line, and nothing is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <limits>

#include "quintet/core/file.h"
#include "quintet/io/media/audio.h"

// For the leak sanitizer. libsndfile 1.2.0 forgets the vorbis_info (6 KB) of an Ogg file that it
// refuses, and an encoder that does not know the rate that a test asks for.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\nleak:libmp3lame\n"; }

namespace quintet::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kData = fs::path(QUINTET_SOURCE_DIR) / "tests/data";
const fs::path kSeeds = fs::path(QUINTET_SOURCE_DIR) / "tests/fuzz/corpus/audio";

std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string big(uint64_t value, int bytes) {
  const std::string text = little(value, bytes);
  return {text.rbegin(), text.rend()};
}

struct Wav {
  uint32_t coding = 1;
  uint32_t channels = 1;
  uint32_t rate_hz = 16000;
  uint32_t bits = 16;
  uint32_t declared_bytes = 0;
  std::string data = {};
};

std::string format_chunk(const Wav& wav) {
  const uint32_t block = wav.channels * wav.bits / 8;
  return "fmt " + little(16, 4) + little(wav.coding, 2) + little(wav.channels, 2) +
         little(wav.rate_hz, 4) + little(uint64_t{wav.rate_hz} * block, 4) + little(block, 2) +
         little(wav.bits, 2);
}

std::string encode(const Wav& wav) {
  return "RIFF" + little(uint64_t{36} + wav.declared_bytes, 4) + "WAVE" + format_chunk(wav) +
         "data" + little(wav.declared_bytes, 4) + wav.data;
}

std::string encode(Wav wav, const std::string& data) {
  wav.declared_bytes = static_cast<uint32_t>(data.size());
  wav.data = data;
  return encode(wav);
}

Result<std::vector<float>> read(const std::string& bytes, const AudioLimits& limits = {}) {
  return read_audio(std::as_bytes(std::span(bytes)), "some.wav", limits);
}

// Both ways in give the same error: one line that begins with the name.
void expect_error(const std::string& bytes, Code code, const std::string& what,
                  const AudioLimits& limits = {}) {
  const auto samples = read(bytes, limits);
  ASSERT_FALSE(samples) << "was read, expected: " << what;
  EXPECT_EQ(samples.error().code(), code) << samples.error().message();
  EXPECT_THAT(samples.error().message(), HasSubstr(what));
  EXPECT_THAT(samples.error().message(), testing::StartsWith("some.wav: "));
  EXPECT_EQ(samples.error().message().find('\n'), std::string::npos);

  std::string path = testing::TempDir() + "quintet-audio-XXXXXX";
  ::close(::mkstemp(path.data()));
  ASSERT_TRUE(write_file_atomically(path, bytes));
  const auto from_file = read_audio(path, limits);
  fs::remove(path);
  ASSERT_FALSE(from_file);
  EXPECT_EQ(from_file.error().message(), path + samples.error().message().substr(8));
}

std::string content_of(const fs::path& path) { return read_file(path, 1 << 20).value(); }

// ---- Not a file, or not audio

TEST(AudioErrors, MissingFileIsNotFound) {
  const auto reader = AudioReader::open("/nowhere/speech.wav");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Code::kNotFound);
  EXPECT_THAT(reader.error().message(), HasSubstr("/nowhere/speech.wav: cannot open"));
}

TEST(AudioErrors, DirectoryIsNamedAsOne) {
  const auto reader = AudioReader::open(kData);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Code::kIo);
  EXPECT_THAT(reader.error().message(), HasSubstr("is a directory"));
}

TEST(AudioErrors, PipeWithoutWriterDoesNotHang) {
  const std::string path = testing::TempDir() + "quintet-audio-pipe";
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto reader = AudioReader::open(path);
  ::unlink(path.c_str());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Code::kIo);
  EXPECT_THAT(reader.error().message(), HasSubstr("not a regular file"));
}

TEST(AudioErrors, UnreadableFileIsRefused) {
  const std::string path = testing::TempDir() + "quintet-audio-secret.wav";
  ASSERT_TRUE(write_file_atomically(path, content_of(kSeeds / "wav-16.wav")));
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  // To root nothing is unreadable.
  constexpr uid_t kNobody = 65534;
  const bool was_root = ::geteuid() == 0;
  if (was_root && ::seteuid(kNobody) != 0) GTEST_SKIP() << "root that cannot become another user";
  const auto reader = AudioReader::open(path);
  if (was_root && ::seteuid(0) != 0) FAIL() << "cannot become root again";
  ::unlink(path.c_str());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Code::kIo);
  EXPECT_THAT(reader.error().message(), HasSubstr("Permission denied"));
}

TEST(AudioErrors, EmptyFileIsNamedAsOne) { expect_error("", Code::kCorrupt, "is empty"); }

TEST(AudioErrors, TextSaysWhichFormatsAreRead) {
  const std::string formats = "is not an audio file of a format that is read: wav, flac, ogg, mp3";
  expect_error("This is no sound at all, whatever its name says.\n", Code::kUnsupported, formats);
  expect_error(std::string("\xff\xfeH\0e\0l\0l\0o\0", 12), Code::kUnsupported, formats);
  expect_error("x", Code::kUnsupported, formats);
  expect_error(std::string(1000, '\0'), Code::kUnsupported, formats);
}

TEST(AudioErrors, KnownButUnreadFormatsAreNamed) {
  const std::string rest(64, '\0');
  expect_error(std::string("\0\0\0\x20", 4) + "ftypM4A " + rest, Code::kUnsupported,
               "is MP4 (m4a, AAC), which is not read; convert it to wav, flac, ogg or mp3 first");
  expect_error("\x1a\x45\xdf\xa3" + rest, Code::kUnsupported, "is WebM or Matroska");
  expect_error("RIFF" + little(64, 4) + "AVI " + rest, Code::kUnsupported, "is AVI");
  expect_error("\xff\xf1\x50\x80" + rest, Code::kUnsupported, "is raw AAC");
  expect_error("caff" + rest, Code::kUnsupported, "is CAF");
}

TEST(AudioErrors, CodingsOutsideTheListAreRefused) {
  expect_error(encode({.coding = 0x55}, std::string(400, 'x')), Code::kUnsupported,
               "is WAV with coding 85");
}

// ---- Cut off

TEST(AudioErrors, EveryCutOfAWholeFileIsAnError) {
  for (const char* name : {"wav-16.wav", "wav-24.wav", "rifx.wav", "rf64.wav", "aiff-16.aiff",
                           "aifc-float.aiff", "flac-16.flac", "flac-24.flac"}) {
    SCOPED_TRACE(name);
    const std::string whole = content_of(kSeeds / name);
    ASSERT_TRUE(read(whole));
    for (size_t n = 0; n < whole.size(); n += n < 128 ? 1 : 13) {
      const auto samples = read(whole.substr(0, n));
      ASSERT_FALSE(samples) << "cut after " << n << " bytes";
      EXPECT_EQ(samples.error().message().find('\n'), std::string::npos);
    }
  }
}

TEST(AudioErrors, CutOggAndMp3AreReadUpToTheCutOrRefused) {
  for (const char* name : {"vorbis.ogg", "opus.ogg", "mp3.mp3"}) {
    SCOPED_TRACE(name);
    const std::string whole = content_of(kSeeds / name);
    const size_t samples = read(whole).value().size();
    for (size_t n = 0; n < whole.size(); n += 11) {
      const auto cut = read(whole.substr(0, n));
      // What was cut can only be missing, but for the filling of the last MP3 frame.
      EXPECT_TRUE(!cut || cut->size() <= samples + 1152) << "cut after " << n << " bytes";
    }
  }
}

TEST(AudioErrors, CutWavHeaderIsNamed) {
  const std::string whole = encode({}, std::string(100, 'x'));
  expect_error(whole.substr(0, 8), Code::kCorrupt, "its header is cut off after 8 bytes");
  expect_error(whole.substr(0, 30), Code::kCorrupt, "its WAV header is cut off");
  expect_error(whole.substr(0, 40), Code::kCorrupt, "there is no data chunk");
}

TEST(AudioErrors, CutWavDataTellsBothLengths) {
  expect_error(encode({.declared_bytes = 320000, .data = std::string(64000, 'x')}), Code::kCorrupt,
               "declares 10.00 seconds of audio but holds 2.00; the file is cut off");
}

TEST(AudioErrors, TenDeclaredHoursWithoutDataAreRefused) {
  expect_error(encode({.declared_bytes = 36000 * 32000}), Code::kCorrupt,
               "declares 36000.00 seconds of audio but holds 0.00");
  std::string flac = content_of(kSeeds / "flac-16.flac");
  // STREAMINFO has the count of samples in 36 bits: 8000 Hz for ten hours.
  flac.replace(22, 4, big(uint64_t{36000} * 8000, 4));
  expect_error(flac, Code::kCorrupt, "declares 36000.00 seconds of audio but holds 0.10");
}

TEST(AudioErrors, StreamedWavIsReadToItsEnd) {
  for (const uint32_t size : {0U, 0xffffffffU, 0x7ffff000U, 0x7fffffffU, 0x80000000U}) {
    SCOPED_TRACE(size);
    const auto samples = read(encode({.declared_bytes = size, .data = std::string(3200, '\x40')}));
    ASSERT_TRUE(samples) << samples.error().message();
    EXPECT_EQ(*samples, std::vector<float>(1600, 16448.0F / 32768.0F));
  }
}

TEST(AudioErrors, ChunksBehindEmptyDataAreNoAudio) {
  const std::string tags = "LIST" + little(400, 4) + std::string(400, 'T');
  std::string wav = encode({}) + tags;
  wav.replace(4, 4, little(wav.size() - 8, 4));
  const auto samples = read(wav);
  ASSERT_TRUE(samples) << samples.error().message();
  EXPECT_TRUE(samples->empty());
}

TEST(AudioErrors, NothingInAWholeWavIsNoError) {
  const auto samples = read(encode({}));
  ASSERT_TRUE(samples) << samples.error().message();
  EXPECT_TRUE(samples->empty());
}

TEST(AudioErrors, FloodOfChunksIsRefused) {
  std::string chunks;
  for (int i = 0; i < 5000; ++i) chunks += "junk" + little(0, 4);
  expect_error("RIFF" + little(chunks.size() + 4, 4) + "WAVE" + chunks, Code::kUnsupported,
               "has more than 4096 chunks");
}

// ---- Impossible or absurd headers

TEST(AudioErrors, ImpossibleChannelsAndRatesAreRefused) {
  const std::string data(3200, 'x');
  expect_error(encode({.channels = 0}, data), Code::kCorrupt, "declares 0 channels");
  expect_error(encode({.rate_hz = 0}, data), Code::kCorrupt, "declares a rate of 0 Hz");
  expect_error(encode({.channels = 65}, data), Code::kUnsupported,
               "declares 65 channels, more than the 64 allowed");
  expect_error(encode({.channels = 65535}, data), Code::kUnsupported, "declares 65535 channels");
  expect_error(encode({.rate_hz = 4000000000}, data), Code::kUnsupported,
               "declares a rate of 4000000000 Hz, expected 1000 to 768000");
  expect_error(encode({.rate_hz = 7}, data), Code::kUnsupported, "declares a rate of 7 Hz");
}

TEST(AudioErrors, ImpossibleAiffIsRefused) {
  const auto aiff = [](uint64_t channels, uint64_t exponent) {
    const std::string common = big(channels, 2) + big(100, 4) + big(16, 2) + big(exponent, 2) +
                               big(uint64_t{0xfa00} << 48, 8);  // 16000 with exponent 0x400c.
    const std::string sound = big(0, 8) + std::string(200, 'x');
    return "FORM" + big(4 + 8 + 18 + 8 + sound.size(), 4) + "AIFF" + "COMM" + big(18, 4) + common +
           "SSND" + big(sound.size(), 4) + sound;
  };
  const auto whole = read(aiff(1, 0x400c));
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->size(), 100U);
  expect_error(aiff(0, 0x400c), Code::kCorrupt, "declares 0 channels");
  expect_error(aiff(1, 0), Code::kCorrupt, "declares a rate of 0 Hz");
  expect_error(aiff(1, 0xc00c), Code::kCorrupt, "declares a rate of 0 Hz");
  expect_error(aiff(1, 0x7fff), Code::kUnsupported, "expected 1000 to 768000");
  expect_error(aiff(200, 0x400c), Code::kUnsupported, "declares 200 channels");
}

TEST(AudioErrors, LengthBeyondTheLimitIsExhausted) {
  const AudioLimits limits{.max_seconds = 1.5};
  expect_error(encode({}, std::string(64000, 'x')), Code::kExhausted,
               "declares 2.00 seconds of audio, more than the 1.50 allowed", limits);
  EXPECT_TRUE(read(encode({}, std::string(48000, 'x')), limits));
}

TEST(AudioErrors, UndeclaredLengthBeyondTheLimitIsExhausted) {
  std::string flac = content_of(kSeeds / "flac-16.flac");
  flac.replace(22, 4, big(0, 4));  // Unknown.
  const auto whole = read(flac);
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->size(), 1600U);
  expect_error(flac, Code::kExhausted, "holds more than the 0.05 seconds of audio allowed",
               {.max_seconds = 0.05});
}

// ---- Samples

TEST(AudioErrors, SamplesThatAreNoNumbersAreRefusedWithTheirTime) {
  const auto with = [](float bad) {
    std::string data;
    for (int t = 0; t < 32000; ++t) {
      data += little(std::bit_cast<uint32_t>(t == 20000 ? bad : 0.25F), 4);
    }
    return encode({.coding = 3, .bits = 32}, data);
  };
  EXPECT_TRUE(read(with(1e20F)));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), kInfinity, -kInfinity, 3e38F}) {
    expect_error(with(bad), Code::kCorrupt,
                 "holds a sample that is infinite, not a number or beyond 1e30 at 1.25 seconds");
  }
}

TEST(AudioErrors, DoublesBeyondFloatAreRefused) {
  const std::string data = little(std::bit_cast<uint64_t>(1e300), 8);
  expect_error(encode({.coding = 3, .bits = 64}, data), Code::kCorrupt, "at 0.00 seconds");
}

TEST(AudioErrors, ErrorStaysOnceItHappened) {
  std::string data;
  for (int t = 0; t < 10; ++t) data += little(std::bit_cast<uint32_t>(std::nanf("")), 4);
  const std::string wav = encode({.coding = 3, .bits = 32}, data + std::string(40000, '\0'));
  auto reader = AudioReader::open(std::as_bytes(std::span(wav)), "some.wav");
  ASSERT_TRUE(reader) << reader.error().message();
  std::vector<float> samples(100);
  const auto first = reader->read(samples);
  const auto second = reader->read(samples);
  ASSERT_FALSE(first);
  ASSERT_FALSE(second);
  EXPECT_EQ(first.error().message(), second.error().message());
}

// ---- Tags and damage

std::string id3_tag(size_t content_bytes, size_t declared_bytes) {
  std::string tag = std::string("ID3\x04\0\0", 6);
  for (int shift = 21; shift >= 0; shift -= 7) {
    tag.push_back(static_cast<char>(declared_bytes >> shift & 0x7f));
  }
  return tag + std::string(content_bytes, 'T');
}

TEST(AudioErrors, TagsInFrontAreSkipped) {
  for (const char* name : {"flac-16.flac", "mp3.mp3", "wav-16.wav"}) {
    SCOPED_TRACE(name);
    const std::string plain = content_of(kSeeds / name);
    // Larger than what decoders keep of a header, and with the zeros that some taggers leave.
    const auto samples =
        read(id3_tag(300000, 300000) + id3_tag(5, 5) + std::string(2000, '\0') + plain);
    ASSERT_TRUE(samples) << samples.error().message();
    EXPECT_EQ(*samples, *read(plain));
  }
}

TEST(AudioErrors, TagWithoutAudioIsNamed) {
  expect_error(id3_tag(100, 100), Code::kCorrupt, "has an ID3 tag but no audio");
  expect_error(id3_tag(100, 200'000'000), Code::kCorrupt, "has an ID3 tag but no audio");
}

TEST(AudioErrors, DamagedFilesPrintNothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  int refused = 0;
  for (const auto& entry : fs::directory_iterator(kSeeds)) {
    const std::string whole = content_of(entry.path());
    for (size_t at = 0; at < whole.size(); at += 29) {
      std::string damaged = whole;
      for (size_t i = at; i < std::min(at + 6, damaged.size()); ++i) damaged[i] ^= '\x5a';
      refused += read(damaged) ? 0 : 1;
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace quintet::io
