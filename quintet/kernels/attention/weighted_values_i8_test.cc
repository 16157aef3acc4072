#include "quintet/kernels/attention/weighted_values_i8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(WeightedValuesI8);

// Pages of random values, and the values that they stand for, [keys, d].
struct Pages {
  Pages(int64_t count, int64_t d)
      : keys(count * kValuePageKeys),
        channels(d),
        panel_bytes((d + 63) / 64 * 4096),
        panels(static_cast<size_t>(count * panel_bytes)),
        scales(keys),
        values(static_cast<size_t>(keys * d)) {
    std::mt19937 engine(7);
    for (int64_t key = 0; key < keys; ++key) {
      scales[key] = 0.01f * static_cast<float>(1 + engine() % 9);
      std::byte* page = panels.data() + key / kValuePageKeys * panel_bytes;
      for (int64_t c = 0; c < d; ++c) {
        const auto q = static_cast<int8_t>(static_cast<int>(engine() % 255) - 127);
        page[c / 64 * 4096 + key % kValuePageKeys / 4 * 256 + c % 64 * 4 + key % 4] =
            static_cast<std::byte>(q);
        values[static_cast<size_t>(key * d + c)] = scales[key] * static_cast<float>(q);
      }
    }
    for (int64_t p = 0; p < count; ++p) {
      views.push_back({panels.data() + p * panel_bytes, scales.data() + p * kValuePageKeys});
    }
  }

  int64_t keys;
  int64_t channels;
  int64_t panel_bytes;
  AlignedBytes panels;
  AlignedArray<float> scales;
  std::vector<float> values;
  std::vector<Int8ValuePage> views;
};

TEST_P(WeightedValuesI8, StaysWithinHalfAStepOfTheExactSums) {
  for (const int64_t d : {16, 64, 80, 128}) {
    for (int64_t count = 1; count <= 4; ++count) {
      const Pages pages(count, d);
      constexpr int64_t kRows = 7;
      std::vector<float> weights = random_floats(kRows * pages.keys, 1.0f, 3);
      for (float& w : weights) w = std::abs(w);
      const std::vector<float> exact = weights;
      std::vector<uint8_t> bytes(weights.size());
      std::vector<float> steps;
      for (int64_t r = 0; r < kRows; ++r) {
        steps.push_back(quantize_weights_u8(pages.views, weights.data() + r * pages.keys,
                                            bytes.data() + r * pages.keys));
      }
      std::vector<float> out(static_cast<size_t>(kRows * d));
      weighted_values_i8(bytes.data(), pages.keys, steps.data(), pages.views,
                         matrix(out.data(), kRows, d));
      for (int64_t r = 0; r < kRows; ++r) {
        for (int64_t c = 0; c < d; ++c) {
          double expected = 0;
          double bound = 1e-4;
          for (int64_t key = 0; key < pages.keys; ++key) {
            const auto value = static_cast<double>(pages.values[static_cast<size_t>(key * d + c)]);
            expected +=
                static_cast<double>(exact[static_cast<size_t>(r * pages.keys + key)]) * value;
            // A weight is off by half a step of its byte, before the scale of its key.
            bound += 0.51 * static_cast<double>(steps[static_cast<size_t>(r)]) * std::abs(value) /
                     static_cast<double>(pages.scales[key]);
          }
          ASSERT_NEAR(static_cast<double>(out[static_cast<size_t>(r * d + c)]), expected, bound)
              << d << " " << count << " " << r << " " << c;
        }
      }
    }
  }
}

TEST_P(WeightedValuesI8, ARowWithoutWeightGivesZeros) {
  const Pages pages(2, 64);
  std::vector<float> weights(128, 0.0f);
  std::vector<uint8_t> bytes(128, 9);
  const float step = quantize_weights_u8(pages.views, weights.data(), bytes.data());
  std::vector<float> out(64, 5.0f);
  weighted_values_i8(bytes.data(), 128, &step, pages.views, matrix(out.data(), 1, 64));
  EXPECT_EQ(out, std::vector<float>(64, 0.0f));
}

TEST_P(WeightedValuesI8, ARowDoesNotDependOnTheOthersNorOnPagesWithoutWeight) {
  const Pages pages(3, 64);
  std::vector<float> weights = random_floats(192, 1.0f, 4);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = i < 100 ? std::abs(weights[i]) : 0.0f;
  std::vector<float> shorter(weights.begin(), weights.begin() + 128);
  std::vector<uint8_t> bytes(192 * 5);
  std::vector<uint8_t> short_bytes(128);
  std::vector<float> steps(5);
  for (size_t r = 0; r < 5; ++r) {
    std::vector<float> row = weights;
    steps[r] = quantize_weights_u8(pages.views, row.data(), bytes.data() + 192 * r);
  }
  const auto two = std::span(pages.views).first(2);
  const float step = quantize_weights_u8(two, shorter.data(), short_bytes.data());
  std::vector<float> out(64 * 5);
  std::vector<float> alone(64);
  weighted_values_i8(bytes.data(), 192, steps.data(), pages.views, matrix(out.data(), 5, 64));
  weighted_values_i8(short_bytes.data(), 128, &step, two, matrix(alone.data(), 1, 64));
  for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], alone[i % 64]) << i;
}

}  // namespace
}  // namespace quintet::kernels
