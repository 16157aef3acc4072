// Log-mel spectrogram as Whisper reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "quintet/core/tensor.h"
#include "quintet/core/thread_pool.h"

namespace quintet::kernels {

inline constexpr int64_t kMelSampleRateHz = 16000;
inline constexpr int64_t kMelHopSamples = 160;  // 10 ms: 100 frames a second.
inline constexpr int64_t kMelWindowSamples = 400;

// Tables for one number of mel bins: Hann window, FFT twiddles, Slaney filter bank.
class MelFilter {
 public:
  // REQUIRES: 1 <= bins <= 256.
  explicit MelFilter(int64_t bins);
  ~MelFilter();
  MelFilter(MelFilter&&) noexcept;
  MelFilter& operator=(MelFilter&&) noexcept;

  int64_t bins() const;

  // Power spectrum through the filter bank, log10 with a floor of 1e-10, for `frames` frames of
  // audio [-1, 1] at 16 kHz that is taken as padded with zeros at its end to frames * 160 samples
  // and then reflected by 200 samples at both ends (a centred STFT, last frame dropped).
  // Shapes: log_mel [frames, bins]: time-major, unlike the reference.
  // Returns the largest value written. Finish with normalize_log_mel.
  // Numerics: transform and filter bank in float64; the same bits on every instruction set, for any
  // number of threads. Frames that hold only zeros cost nothing.
  // Source: transformers WhisperFeatureExtractor, openai/whisper audio.py.
  float log_mel(std::span<const float> audio, MatrixView<float> log_mel, ThreadPool& pool) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// x = (max(x, largest - 8) + 4) / 4, in place. Takes the row stride into account.
void normalize_log_mel(MatrixView<float> log_mel, float largest);

}  // namespace quintet::kernels
