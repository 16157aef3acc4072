// What attention.h promises, in double and without haste: the yardstick of the tests.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/softmax/softmax_ref.h"

namespace quintet::kernels {

// k and v are [n, d]; returns the d outputs.
inline std::vector<double> attend_ref(std::span<const float> q, MatrixView<const float> k,
                                      MatrixView<const float> v) {
  std::vector<float> scores;
  for (int64_t i = 0; i < k.rows; ++i) {
    double dot = 0.0;
    for (int64_t c = 0; c < k.cols; ++c) {
      dot += static_cast<double>(q[static_cast<size_t>(c)]) * static_cast<double>(k.row(i)[c]);
    }
    scores.push_back(static_cast<float>(dot));
  }
  const std::vector<double> p = softmax_ref(scores);
  std::vector<double> out(static_cast<size_t>(v.cols), 0.0);
  for (int64_t i = 0; i < v.rows; ++i) {
    for (int64_t c = 0; c < v.cols; ++c) {
      out[static_cast<size_t>(c)] += p[static_cast<size_t>(i)] * static_cast<double>(v.row(i)[c]);
    }
  }
  return out;
}

// The 32-bit words of the panels of a matrix [channels, depth] that `element` gives, by the layout
// that gemm.h describes.
template <typename Element>
std::vector<uint32_t> panels_ref(WeightFormat format, int64_t channels, int64_t depth,
                                 Element element) {
  const int64_t g = group_size(format);
  const auto value = [&](int64_t channel, int64_t k) {
    return channel < channels && k < depth ? element(channel, k) : 0.0f;
  };
  std::vector<uint32_t> words;
  for (int64_t panel = 0; panel < panel_count(channels); ++panel) {
    for (int64_t k = 0; k < depth; k += g) {
      for (int64_t lane = 0; lane < kPanelWidth; ++lane) {
        const int64_t channel = panel * kPanelWidth + lane;
        if (format == WeightFormat::kF32) {
          words.push_back(std::bit_cast<uint32_t>(value(channel, k)));
        } else {
          const uint32_t low = bf16_from_f32(value(channel, k)).bits;
          const uint32_t high = bf16_from_f32(value(channel, k + 1)).bits;
          words.push_back(low | high << 16);
        }
      }
    }
  }
  return words;
}

}  // namespace quintet::kernels
