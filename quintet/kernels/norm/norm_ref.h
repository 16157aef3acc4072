// What norm.h promises, in double and without haste: the yardstick of the tests.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace quintet::kernels {

inline std::vector<double> layer_norm_ref(std::span<const float> x, std::span<const float> gamma,
                                          std::span<const float> beta, double eps) {
  const std::vector<double> values(x.begin(), x.end());
  const double n = static_cast<double>(x.size());
  double mean = 0.0;
  for (const double value : values) mean += value / n;
  double variance = 0.0;
  for (const double value : values) variance += (value - mean) * (value - mean) / n;
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const double z = (values[i] - mean) / std::sqrt(variance + eps);
    y.push_back(z * static_cast<double>(gamma[i]) + static_cast<double>(beta[i]));
  }
  return y;
}

inline std::vector<double> rms_norm_ref(std::span<const float> x, std::span<const float> gamma,
                                        double eps) {
  double squares = 0.0;
  for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
  const double root = std::sqrt(squares / static_cast<double>(x.size()) + eps);
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back(static_cast<double>(x[i]) / root * static_cast<double>(gamma[i]));
  }
  return y;
}

}  // namespace quintet::kernels
