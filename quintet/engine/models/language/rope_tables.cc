#include "quintet/engine/models/language/rope_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quintet::language {
namespace {

double llama3_frequency(double frequency, const RopeScaling& s) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double longest = s.original_positions / s.low_frequency;
  const double shortest = s.original_positions / s.high_frequency;
  if (wavelength < shortest) return frequency;
  if (wavelength > longest) return frequency / s.factor;
  const double smooth =
      (s.original_positions / wavelength - s.low_frequency) / (s.high_frequency - s.low_frequency);
  return (1 - smooth) * frequency / s.factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_frequencies(double theta, int64_t head_dim, const RopeScaling& scaling) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double exponent = 2 * static_cast<double>(i) / static_cast<double>(head_dim);
    double frequency = std::pow(theta, -exponent);
    if (scaling.kind == RopeScaling::Kind::kLinear) frequency /= scaling.factor;
    if (scaling.kind == RopeScaling::Kind::kLlama3) {
      frequency = llama3_frequency(frequency, scaling);
    }
    if (!scaling.divisors.empty()) {
      frequency /= static_cast<double>(scaling.divisors[static_cast<size_t>(i)]);
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

void RopeTable::reserve(int64_t end) {
  const int64_t known = std::ssize(table_) / (2 * half());
  if (end <= known) return;
  constexpr int64_t kStep = 512;
  end = (end + kStep - 1) / kStep * kStep;
  table_.resize(static_cast<size_t>(end * 2 * half()));
  for (int64_t p = known; p < end; ++p) {
    float* row = table_.data() + p * 2 * half();
    for (int64_t i = 0; i < half(); ++i) {
      // The product is rounded to float32, as in the reference implementations: at position 10,000
      // that moves an angle by up to 5e-4, and models are trained with it.
      const float angle = static_cast<float>(p) * frequencies_[static_cast<size_t>(i)];
      row[i] = std::cos(angle);
      row[i + half()] = std::sin(angle);
    }
  }
}

}  // namespace quintet::language
