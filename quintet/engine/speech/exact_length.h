// How much of its window the encoder has to see.
#pragma once

#include <algorithm>
#include <cstdint>

#include "quintet/kernels/mel/mel.h"

namespace quintet::speech {

// Whisper was trained on windows of 30 s. Given less, it answers the same as long as some silence
// follows the speech and the window does not become much shorter than it ever saw; the figures are
// in docs/decisions/0009. A window whose text does not pass is run again at full length.
inline constexpr int64_t kSilenceFrames = 100;    // 1 s after the last sample.
inline constexpr int64_t kShortestFrames = 1000;  // 10 s.

// Frames of 10 ms that the encoder runs over for `samples` samples; even, at most `full_frames`.
inline int64_t encoder_frames(int64_t samples, int64_t full_frames) {
  const int64_t audible = (samples + kernels::kMelHopSamples - 1) / kernels::kMelHopSamples;
  const int64_t wanted = std::max(audible + kSilenceFrames, kShortestFrames);
  return std::min((wanted + 1) / 2 * 2, full_frames);
}

}  // namespace quintet::speech
