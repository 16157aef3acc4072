#include "quintet/kernels/quantize/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/level_test.h"
#include "quintet/kernels/quantize/quantize_kernels.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

class Quantize : public LevelTest {};

INSTANTIATE_TEST_SUITE_P(Levels, Quantize, testing::ValuesIn(kAllIsas), level_name);

// Quantised rows in memory that ends at an inaccessible page, filled with a mark.
struct Rows {
  Rows(int64_t count, int64_t cols)
      : stride(padded_depth(WeightFormat::kI8, cols)),
        data(count * stride),
        scales(count),
        sums(count) {
    std::fill(data.begin(), data.end(), int8_t{77});
  }
  QuantizedRows view() { return {data.data(), scales.size(), stride, scales.data(), sums.data()}; }

  int64_t stride;
  GuardedArray<int8_t> data;
  GuardedArray<float> scales;
  GuardedArray<int32_t> sums;
};

TEST_P(Quantize, RowsEqualTheDefinitionBitForBit) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (int64_t cols = 1; cols <= 70; ++cols) {
    GuardedArray<float> x(3 * cols);
    for (float& v : x) v = normal(random);
    Rows q(3, cols);
    quantize_rows(matrix<const float>(x.data(), 3, cols), q.view());
    for (int64_t i = 0; i < 3; ++i) {
      float max_abs = 0;
      for (int64_t k = 0; k < cols; ++k) max_abs = std::max(max_abs, std::fabs(x[i * cols + k]));
      ASSERT_EQ(q.scales[i], max_abs / 127);
      int32_t sum = 0;
      for (int64_t k = 0; k < q.stride; ++k) {
        const float scaled = k < cols ? x[i * cols + k] * (127 / max_abs) : 0.0f;
        ASSERT_EQ(static_cast<float>(q.data[i * q.stride + k]), std::nearbyint(scaled))
            << cols << " " << k;
        sum += q.data[i * q.stride + k];
      }
      ASSERT_EQ(q.sums[i], sum);
    }
  }
}

TEST_P(Quantize, HalvesGoToEven) {
  std::vector<float> x(20, 0.0f);
  x[0] = 127;
  x[1] = 0.5f;
  x[2] = 1.5f;
  x[3] = -2.5f;
  x[17] = 2.5f;
  x[18] = -0.5f;
  x[19] = -3.5f;
  Rows q(1, 20);
  quantize_rows(matrix<const float>(x.data(), 1, 20), q.view());
  EXPECT_EQ(q.scales[0], 1.0f);
  EXPECT_EQ(q.data[1], 0);
  EXPECT_EQ(q.data[2], 2);
  EXPECT_EQ(q.data[3], -2);
  EXPECT_EQ(q.data[17], 2);
  EXPECT_EQ(q.data[18], 0);
  EXPECT_EQ(q.data[19], -4);
}

TEST_P(Quantize, ZeroTinyAndHugeRowsStayFinite) {
  for (const float v : {0.0f, 1e-45f, 1e-38f, 1e-36f, 1e30f, 3e38f}) {
    const std::vector<float> x(19, -v);
    Rows q(1, 19);
    quantize_rows(matrix<const float>(x.data(), 1, 19), q.view());
    ASSERT_TRUE(std::isfinite(q.scales[0])) << v;
    for (int64_t k = 0; k < 19; ++k) {
      const float back = q.scales[0] * static_cast<float>(q.data[k]);
      ASSERT_NEAR(back, -v, std::max(v * 1e-6f, 4e-37f)) << v;
    }
    ASSERT_EQ(q.data[19], 0);
  }
}

TEST_P(Quantize, NothingIsWrittenBetweenTheRows) {
  const std::vector<float> x(2 * 5, 1.0f);
  std::vector<int8_t> data(2 * 32, 77);
  std::vector<float> scales(2);
  std::vector<int32_t> sums(2);
  quantize_rows(matrix<const float>(x.data(), 2, 5),
                {data.data(), 2, 32, scales.data(), sums.data()});
  for (size_t i = 0; i < data.size(); ++i) {
    const size_t k = i % 32;
    ASSERT_EQ(data[i], k < 5 ? 127 : k < 8 ? 0 : 77) << i;
  }
}

TEST_P(Quantize, Bf16RowsEqualTheScalarConversionAndArePadded) {
  std::mt19937 random(2);
  for (int64_t cols = 1; cols <= 40; ++cols) {
    GuardedArray<float> x(2 * cols);
    // Any bits at all: subnormals, infinities and NaN too.
    for (float& v : x) v = std::bit_cast<float>(static_cast<uint32_t>(random()));
    x[0] = std::bit_cast<float>(0x7f800001u);
    const int64_t stride = padded_depth(WeightFormat::kBF16, cols);
    GuardedArray<bf16> y(2 * stride);
    for (bf16& v : y) v.bits = 0x1234;
    convert_rows(matrix<const float>(x.data(), 2, cols), {y.data(), 2, cols, stride});
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t k = 0; k < stride; ++k) {
        const uint16_t expected = k < cols ? bf16_from_f32(x[i * cols + k]).bits : uint16_t{0};
        ASSERT_EQ(y[i * stride + k].bits, expected) << cols << " " << k;
      }
    }
  }
}

TEST_P(Quantize, ArraysOfEveryHalfAndBf16EqualTheScalarConversion) {
  constexpr int64_t kAll = 65536;
  for (const int64_t n : {kAll, kAll - 1, kAll - 15, int64_t{1}}) {
    GuardedArray<bf16> brain(n);
    GuardedArray<uint16_t> half(n);
    for (int64_t i = 0; i < n; ++i) {
      brain[i].bits = half[i] = static_cast<uint16_t>(kAll - n + i);
    }
    GuardedArray<float> y(n);
    bf16_to_f32_array(brain.data(), y.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), uint32_t{brain[i].bits} << 16);
    }
    f16_to_f32_array(half.data(), y.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      const float expected = f16_to_f32(half[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(y[i]));
      } else {
        ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(expected)) << half[i];
      }
    }
  }
}

TEST_P(Quantize, ForcedLevelRunsItsOwnKernels) {
  const Isa isa = GetParam();
  const std::string_view expected = isa >= Isa::kAvx512 ? "avx512"
                                    : isa >= Isa::kAvx2 ? "avx2"
                                                        : "base";
  EXPECT_EQ(internal::quantize_kernels(active_isa()).name, expected);
}

}  // namespace
}  // namespace quintet::kernels
