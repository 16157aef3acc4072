// What softmax.h promises, in double and without haste: the yardstick of the tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace quintet::kernels {

inline double log_sum_exp_ref(std::span<const float> x) {
  const std::vector<double> values(x.begin(), x.end());
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0.0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

inline std::vector<double> softmax_ref(std::span<const float> x) {
  const double total = log_sum_exp_ref(x);
  std::vector<double> p(x.begin(), x.end());
  for (double& value : p) value = std::exp(value - total);
  return p;
}

inline int64_t argmax_ref(std::span<const float> x) {
  return std::max_element(x.begin(), x.end()) - x.begin();
}

}  // namespace quintet::kernels
