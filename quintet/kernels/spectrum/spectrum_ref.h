// What spectrum.h promises, in double and without haste: the yardstick of the tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "quintet/kernels/spectrum/spectrum.h"

namespace quintet::kernels {

inline double hann_window(int64_t n) {
  return 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(n) /
                              static_cast<double>(kSpectrumSamples));
}

// Of one frame of 256 samples.
inline std::vector<double> magnitude_spectrum_ref(const float* x) {
  std::vector<double> magnitudes;
  for (int64_t k = 0; k < kSpectrumBins; ++k) {
    double re = 0.0;
    double im = 0.0;
    for (int64_t n = 0; n < kSpectrumSamples; ++n) {
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(k * n % kSpectrumSamples) /
                           static_cast<double>(kSpectrumSamples);
      re += hann_window(n) * static_cast<double>(x[n]) * std::cos(angle);
      im -= hann_window(n) * static_cast<double>(x[n]) * std::sin(angle);
    }
    magnitudes.push_back(std::hypot(re, im));
  }
  return magnitudes;
}

}  // namespace quintet::kernels
