#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

constexpr std::array kFormats = {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kI8};

TEST(PackWeights, UnpackedWeightIsTheRoundedOriginal) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const WeightFormat format : kFormats) {
    for (const int64_t n : {1, 64, 65}) {
      for (const int64_t k : {1, 2, 3, 5, 64}) {
        std::vector<float> w(static_cast<size_t>(n * k));
        for (float& v : w) v = uniform(random);
        GuardedArray<std::byte> panels(packed_bytes(format, n, k));
        GuardedArray<float> scales(panel_count(n) * kPanelWidth);
        const bool quantized = format == WeightFormat::kI8;
        pack_weights(format, matrix<const float>(w.data(), n, k), panels.data(),
                     quantized ? scales.data() : nullptr);
        const PackedWeights packed = {format, n, k, panels.data(), scales.data()};
        for (int64_t i = 0; i < n * k; ++i) {
          const float original = w[static_cast<size_t>(i)];
          const float unpacked = unpacked_weight(packed, i / k, i % k);
          if (format == WeightFormat::kF32) {
            EXPECT_EQ(unpacked, original);
          }
          if (format == WeightFormat::kBF16) {
            EXPECT_EQ(unpacked, bf16_to_f32(bf16_from_f32(original)));
          }
          if (quantized) {
            EXPECT_NEAR(unpacked, original, 0.5001f * scales[i / k]);
          }
        }
      }
    }
  }
}

TEST(PackWeights, EverythingBeyondTheMatrixIsZero) {
  const std::vector<float> w(65 * 5, 1.0f);
  for (const WeightFormat format : kFormats) {
    const int64_t bytes = packed_bytes(format, 65, 5);
    AlignedBytes panels(static_cast<size_t>(bytes));
    std::fill(panels.data(), panels.data() + bytes, std::byte{0x5a});
    AlignedArray<float> scales(128);
    for (float& s : scales.span()) s = 7;
    pack_weights(format, matrix(w.data(), 65, 5), panels.data(), scales.data());
    const int64_t g = group_size(format);
    int64_t nonzero = 0;
    for (int64_t i = 0; i < bytes; ++i) {
      const int64_t line = i % panel_bytes(format, 5) / kPanelLineBytes;
      const int64_t n = i / panel_bytes(format, 5) * kPanelWidth + i % kPanelLineBytes / 4;
      const int64_t k = line * g + i % 4 / (4 / g);
      if (n >= 65 || k >= 5) {
        ASSERT_EQ(panels.data()[i], std::byte{0}) << i;
      } else {
        nonzero += panels.data()[i] != std::byte{0} ? 1 : 0;
      }
    }
    EXPECT_GE(nonzero, 65 * 5);
    if (format == WeightFormat::kI8) {
      EXPECT_EQ(scales[64], 1.0f / 127);
      for (int64_t n = 65; n < 128; ++n) EXPECT_EQ(scales[n], 0.0f);
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
