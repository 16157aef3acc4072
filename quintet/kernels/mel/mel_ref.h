// What mel.h promises, straight from the definition and in double: the yardstick of the tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "quintet/kernels/mel/mel.h"

namespace quintet::kernels {

// One frame of 400 samples around frame * 160, of audio padded or cut to `length` samples.
inline std::vector<double> mel_frame_ref(std::span<const float> audio, int64_t length,
                                         int64_t frame) {
  std::vector<double> x;
  for (int64_t j = 0; j < kMelWindowSamples; ++j) {
    int64_t i = frame * kMelHopSamples + j - kMelWindowSamples / 2;
    while (i < 0 || i >= length) i = i < 0 ? -i : 2 * (length - 1) - i;
    x.push_back(i < std::ssize(audio) ? static_cast<double>(audio[static_cast<size_t>(i)]) : 0.0);
  }
  return x;
}

// |DFT of the Hann-windowed frame|^2, bins 0 ... 200.
inline std::vector<double> power_ref(const std::vector<double>& frame) {
  const auto n = static_cast<int64_t>(frame.size());
  std::vector<double> power;
  for (int64_t k = 0; k <= n / 2; ++k) {
    std::complex<double> sum = 0.0;
    for (int64_t j = 0; j < n; ++j) {
      const double turn = 2.0 * std::numbers::pi / static_cast<double>(n);
      const double window = 0.5 - 0.5 * std::cos(turn * static_cast<double>(j));
      sum += std::polar(window * frame[static_cast<size_t>(j)],
                        -turn * static_cast<double>(j * k % n));
    }
    power.push_back(std::norm(sum));
  }
  return power;
}

// Height of triangle `bin` at `hz`: corners at equal distance on Slaney's mel scale, area 1.
inline double mel_weight_ref(int64_t bins, int64_t bin, double hz) {
  const double step = std::log(6.4) / 27.0;
  const double last_mel = 15.0 + std::log(8.0) / step;
  const auto corner = [&](int64_t i) {
    const double mel = last_mel * static_cast<double>(i) / static_cast<double>(bins + 1);
    return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * std::exp((mel - 15.0) * step);
  };
  const double left = corner(bin);
  const double peak = corner(bin + 1);
  const double right = corner(bin + 2);
  const double height = hz < peak ? (hz - left) / (peak - left) : (right - hz) / (right - peak);
  return std::max(0.0, height) * 2.0 / (right - left);
}

// log10 of the mel energies of one frame, with the floor.
inline std::vector<double> log_mel_ref(std::span<const float> audio, int64_t frames, int64_t frame,
                                       int64_t bins) {
  const std::vector<double> power = power_ref(mel_frame_ref(audio, frames * kMelHopSamples, frame));
  std::vector<double> out;
  for (int64_t b = 0; b < bins; ++b) {
    double energy = 0.0;
    for (size_t k = 0; k < power.size(); ++k) {
      energy += power[k] * mel_weight_ref(bins, b, 40.0 * static_cast<double>(k));
    }
    out.push_back(std::log10(std::max(energy, 1e-10)));
  }
  return out;
}

}  // namespace quintet::kernels
