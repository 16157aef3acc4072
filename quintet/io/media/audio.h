// Audio files as a stream of 16 kHz mono samples, so that hours of audio need no more memory than
// a second does. Read are WAV (RIFF, RIFX, RF64), FLAC, Ogg (Vorbis, Opus), MP3 and AIFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

// The rate of every sample that an AudioReader gives.
inline constexpr int64_t kAudioRateHz = 16000;

// What a file may ask for. A file beyond a limit is refused when it is opened where its header
// says so, otherwise when reading gets there.
struct AudioLimits {
  double max_seconds = 24 * 3600.0;  // Longest audio; beyond it kExhausted.
  int max_channels = 64;             // More are kUnsupported.
  int min_sample_rate_hz = 1000;     // Rates outside these two are kUnsupported.
  int max_sample_rate_hz = 768000;
};

// What the file holds, before it becomes 16 kHz mono.
struct AudioInfo {
  int64_t sample_rate_hz = 0;
  int64_t channels = 0;
  int64_t frames = -1;  // Samples per channel as the header has it; -1: it does not say.
  std::string format;   // For people: "WAV 16-bit PCM", "Ogg Vorbis".
};

// Decodes, averages the channels and resamples (soxr, high quality; untouched at 16 kHz) while it
// is read. Integer samples become sample / 2^(bits - 1): 16-bit mono at 16 kHz is exactly
// sample / 32768. Samples of float files are kept as they are, beyond [-1, 1] too.
// Memory: below 4 MiB by default limits, whatever the length. Threads: one at a time.
class AudioReader {
 public:
  // Errors name the file: kNotFound; kIo (directory, no permission); kCorrupt (empty, damaged or
  // cut off); kUnsupported (no format that is read here, or beyond a limit); kExhausted (too long).
  // A WAV or AIFF file that ends before its header says is kCorrupt; a WAV header with the
  // placeholder size of a streamed recording is read to its end.
  static Result<AudioReader> open(const std::filesystem::path& path,
                                  const AudioLimits& limits = {});
  // The same for a file in memory. REQUIRES: `bytes` outlive the reader. `name` is for messages.
  static Result<AudioReader> open(std::span<const std::byte> bytes, std::string name,
                                  const AudioLimits& limits = {});

  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;
  ~AudioReader();

  const AudioInfo& info() const;

  // Fills `out` with the next samples; fewer than asked for only at the end, 0 after it. How the
  // reading is divided does not change the samples.
  // Errors: kCorrupt (damaged, NaN or infinite samples, with the time; a FLAC file that ends
  // early), kExhausted (longer than the limit). After an error every further call gives the same
  // error.
  Result<int64_t> read(std::span<float> out);

 private:
  struct State;
  explicit AudioReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// All samples of a file: 4 bytes each, 230 MB an hour. Errors: as AudioReader::open and read.
Result<std::vector<float>> read_audio(const std::filesystem::path& path,
                                      const AudioLimits& limits = {});
Result<std::vector<float>> read_audio(std::span<const std::byte> bytes, std::string name,
                                      const AudioLimits& limits = {});

}  // namespace quintet::io
