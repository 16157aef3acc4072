#include "quintet/kernels/mel/mel_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quintet::kernels {
namespace {

// Slaney's scale: linear to 1000 Hz (15 mels), then 27 mels for each factor of 6.4.
double mel_from_hz(double hz) {
  if (hz < 1000.0) return hz * 3.0 / 200.0;
  return 15.0 + std::log(hz / 1000.0) * 27.0 / std::log(6.4);
}

double hz_from_mel(double mel) {
  if (mel < 15.0) return mel * 200.0 / 3.0;
  return 1000.0 * std::exp((mel - 15.0) * std::log(6.4) / 27.0);
}

}  // namespace

MelTables::MelTables(int64_t bins) : spans(static_cast<size_t>(bins)) {
  constexpr double kTurn = 2.0 * std::numbers::pi;
  for (size_t j = 0; j < window.size(); ++j) {
    window[j] = 0.5 - 0.5 * std::cos(kTurn * static_cast<double>(j) / kMelWindowSamples);
  }
  for (size_t k = 0; k < twiddles.cos25.size(); ++k) {
    twiddles.cos25[k] = std::cos(kTurn * static_cast<double>(k) / 25.0);
    twiddles.sin25[k] = std::sin(kTurn * static_cast<double>(k) / 25.0);
  }

  // bins triangles between bins + 2 points at equal distance in mels; area 1 over Hz (Slaney).
  constexpr double kNyquistHz = kMelSampleRateHz / 2.0;
  const auto corner_hz = [&](int64_t i) {
    return hz_from_mel(mel_from_hz(kNyquistHz) * static_cast<double>(i) /
                       static_cast<double>(bins + 1));
  };
  for (int64_t b = 0; b < bins; ++b) {
    MelSpan& span = spans[static_cast<size_t>(b)];
    span.offset = static_cast<int64_t>(weights.size());
    const double left = corner_hz(b);
    const double peak = corner_hz(b + 1);
    const double right = corner_hz(b + 2);
    for (int64_t k = 0; k < kMelFrequencies; ++k) {
      const double hz = kNyquistHz * static_cast<double>(k) / (kMelFrequencies - 1);
      const double height = std::min((hz - left) / (peak - left), (right - hz) / (right - peak));
      if (height <= 0.0) continue;
      if (span.count == 0) span.first = k;
      ++span.count;
      weights.push_back(height * 2.0 / (right - left));
    }
  }
}

}  // namespace quintet::kernels
