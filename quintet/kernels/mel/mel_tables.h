// What the spectrogram needs besides the audio.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "quintet/kernels/mel/mel.h"

namespace quintet::kernels {

inline constexpr int64_t kMelFrequencies = kMelWindowSamples / 2 + 1;

// exp(-2 pi i k / 25) = cos25[k] - i sin25[k].
struct MelTwiddles {
  std::array<double, 17> cos25;
  std::array<double, 17> sin25;
};

// The frequencies that one triangle of the filter bank covers, and where its weights stand.
struct MelSpan {
  int64_t first = 0;
  int64_t count = 0;
  int64_t offset = 0;
};

struct MelTables {
  explicit MelTables(int64_t bins);

  std::array<double, kMelWindowSamples> window;  // Periodic Hann.
  MelTwiddles twiddles;
  std::vector<MelSpan> spans;  // [bins]
  std::vector<double> weights;
};

}  // namespace quintet::kernels
