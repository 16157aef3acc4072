#include "quintet/io/media/audio.h"

#include <soxr.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "quintet/core/check.h"
#include "quintet/io/media/audio_decoder.h"
#include "quintet/io/media/audio_header.h"
#include "quintet/io/media/byte_source.h"

namespace quintet::io {
namespace {

// Frames decoded at a time: at the most channels allowed by default 1 MiB of samples.
constexpr int64_t kBlockFrames = 4096;

// The largest sample that counts as one; beyond it the resampler's sums could overflow.
constexpr double kMaxMagnitude = 1e30;

std::string seconds_text(double seconds) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f", seconds);
  return text.data();
}

struct DeleteResampler {
  void operator()(soxr* resampler) const { soxr_delete(resampler); }
};

}  // namespace

struct AudioReader::State {
  State(std::string file_name, const AudioLimits& file_limits,
        std::unique_ptr<AudioDecoder> file_decoder)
      : name(std::move(file_name)),
        limits(file_limits),
        decoder(std::move(file_decoder)),
        info(decoder->info()) {}

  static Result<AudioReader> open(ByteSource source, std::string name, const AudioLimits& limits);
  Result<void> start();
  Result<void> read_block();
  Result<void> mix(int64_t n);
  Result<void> check_end() const;
  Result<int64_t> read(std::span<float> out);
  int64_t copy(std::span<float> out);
  Result<int64_t> resample(std::span<float> out);

  double seconds(int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(info.sample_rate_hz);
  }

  const std::string name;
  const AudioLimits limits;
  const std::unique_ptr<AudioDecoder> decoder;
  const AudioInfo info;
  std::unique_ptr<soxr, DeleteResampler> resampler;  // None at 16 kHz.
  std::vector<float> frames;                         // [kBlockFrames, channels]
  std::vector<float> mono;                           // [kBlockFrames]
  std::span<const float> pending;                    // What of `mono` was not handed on yet.
  int64_t frames_read = 0;
  bool at_end = false;
  std::optional<Error> failure;
};

// ---- Opening

Result<AudioReader> AudioReader::State::open(ByteSource source, std::string name,
                                             const AudioLimits& limits) {
  QT_TRY(const AudioHeader header, check_audio_header(source, limits).with(name));
  QT_TRY(auto decoder, open_decoder(std::move(source), header, limits).with(name));
  auto state = std::make_unique<State>(std::move(name), limits, std::move(decoder));
  QT_TRY_VOID(state->start().with(state->name));
  return AudioReader(std::move(state));
}

Result<void> AudioReader::State::start() {
  if (info.frames >= 0 && seconds(info.frames) > limits.max_seconds) {
    return Error(Code::kExhausted, "declares " + seconds_text(seconds(info.frames)) +
                                       " seconds of audio, more than the " +
                                       seconds_text(limits.max_seconds) + " allowed");
  }
  if (info.sample_rate_hz != kAudioRateHz) {
    const soxr_io_spec_t io_spec = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_error_t error = nullptr;
    resampler.reset(soxr_create(static_cast<double>(info.sample_rate_hz), kAudioRateHz, 1, &error,
                                &io_spec, &quality, nullptr));
    if (!resampler) {
      return Error(Code::kInternal, "cannot resample from " + std::to_string(info.sample_rate_hz) +
                                        " Hz to " + std::to_string(kAudioRateHz));
    }
  }
  frames.resize(static_cast<size_t>(kBlockFrames * info.channels));
  mono.resize(kBlockFrames);
  return {};
}

// ---- Reading

// Makes `pending` the next block of mono samples, or sets `at_end`.
Result<void> AudioReader::State::read_block() {
  auto decoded = decoder->read(frames);
  if (!decoded) {
    return Error(decoded.error().code(), decoded.error().message() + " after " +
                                             seconds_text(seconds(frames_read)) +
                                             " seconds; the file is damaged");
  }
  const int64_t n = *decoded;
  if (n == 0) {
    at_end = true;
    return check_end();
  }
  QT_CHECK_LE(n, kBlockFrames);
  QT_TRY_VOID(mix(n));
  frames_read += n;
  if (seconds(frames_read) > limits.max_seconds) {
    return Error(Code::kExhausted, "holds more than the " + seconds_text(limits.max_seconds) +
                                       " seconds of audio allowed");
  }
  pending = std::span(mono).first(static_cast<size_t>(n));
  return {};
}

// Averages the channels of `n` frames into `mono`.
Result<void> AudioReader::State::mix(int64_t n) {
  const auto channels = static_cast<size_t>(info.channels);
  const double share = 1.0 / static_cast<double>(channels);
  for (size_t t = 0; t < static_cast<size_t>(n); ++t) {
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += static_cast<double>(frames[t * channels + c]);
    // The comparison is false for NaN; infinite channels make the sum infinite or NaN.
    if (!(std::fabs(sum) <= kMaxMagnitude)) {
      return Error(Code::kCorrupt,
                   "holds a sample that is infinite, not a number or beyond 1e30 at " +
                       seconds_text(seconds(frames_read + static_cast<int64_t>(t))) + " seconds");
    }
    mono[t] = static_cast<float>(sum * share);
  }
  return {};
}

// Whether the audio may end after `frames_read` frames.
Result<void> AudioReader::State::check_end() const {
  if (decoder->length_is_exact() && frames_read < info.frames) {
    return Error(Code::kCorrupt,
                 "declares " + seconds_text(seconds(info.frames)) + " seconds of audio but holds " +
                     seconds_text(seconds(frames_read)) + "; the file is cut off or damaged");
  }
  return {};
}

int64_t AudioReader::State::copy(std::span<float> out) {
  const size_t n = std::min(pending.size(), out.size());
  std::copy_n(pending.begin(), n, out.begin());
  pending = pending.subspan(n);
  return static_cast<int64_t>(n);
}

// Hands `pending` to the resampler, at the end nothing, which flushes it; returns how many samples
// came out.
Result<int64_t> AudioReader::State::resample(std::span<float> out) {
  size_t used = 0;
  size_t done = 0;
  const bool flush = at_end && pending.empty();
  const soxr_error_t error = soxr_process(resampler.get(), flush ? nullptr : pending.data(),
                                          pending.size(), &used, out.data(), out.size(), &done);
  if (error != nullptr) return Error(Code::kInternal, "the resampler failed");
  pending = pending.subspan(used);
  return static_cast<int64_t>(done);
}

Result<int64_t> AudioReader::State::read(std::span<float> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    if (pending.empty() && !at_end) QT_TRY_VOID(read_block());
    const std::span<float> rest = out.subspan(filled);
    int64_t n = 0;
    if (resampler) {
      QT_TRY(n, resample(rest));
    } else {
      n = copy(rest);
    }
    filled += static_cast<size_t>(n);
    if (n == 0 && at_end && pending.empty()) break;
  }
  return static_cast<int64_t>(filled);
}

// ---- The public face

AudioReader::AudioReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;
AudioReader::~AudioReader() = default;

Result<AudioReader> AudioReader::open(const std::filesystem::path& path,
                                      const AudioLimits& limits) {
  QT_TRY(ByteSource source, ByteSource::open(path));
  return State::open(std::move(source), path.string(), limits);
}

Result<AudioReader> AudioReader::open(std::span<const std::byte> bytes, std::string name,
                                      const AudioLimits& limits) {
  return State::open(ByteSource(bytes), std::move(name), limits);
}

const AudioInfo& AudioReader::info() const { return state_->info; }

Result<int64_t> AudioReader::read(std::span<float> out) {
  if (state_->failure) return *state_->failure;
  Result<int64_t> n = state_->read(out).with(state_->name);
  if (!n) state_->failure = n.error();
  return n;
}

namespace {

Result<std::vector<float>> read_all(Result<AudioReader> reader) {
  if (!reader) return std::move(reader).error();
  std::vector<float> samples;
  std::vector<float> piece(static_cast<size_t>(kAudioRateHz));
  while (true) {
    QT_TRY(const int64_t n, reader->read(piece));
    if (n == 0) return samples;
    samples.insert(samples.end(), piece.begin(), piece.begin() + n);
  }
}

}  // namespace

Result<std::vector<float>> read_audio(const std::filesystem::path& path,
                                      const AudioLimits& limits) {
  return read_all(AudioReader::open(path, limits));
}

Result<std::vector<float>> read_audio(std::span<const std::byte> bytes, std::string name,
                                      const AudioLimits& limits) {
  return read_all(AudioReader::open(bytes, std::move(name), limits));
}

}  // namespace quintet::io
