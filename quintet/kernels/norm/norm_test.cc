#include "quintet/kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quintet/kernels/norm/norm_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

constexpr float kEpsilon = 1e-5f;

QT_EVERY_ISA(LayerNorm);

std::vector<int64_t> row_sizes() {
  std::vector<int64_t> sizes = edge_sizes();
  sizes.insert(sizes.end(), {511, 512, 513, 768, 1024, 1280});
  return sizes;
}

double standard_deviation(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double mean = 0.0;
  for (const double value : x) mean += value / n;
  double variance = static_cast<double>(kEpsilon);
  for (const double value : x) variance += (value - mean) * (value - mean) / n;
  return std::sqrt(variance);
}

// Centred and scaled values are off by a few roundings of the largest |x| / deviation (`reach`),
// and the row's mean and variance by a few more: 16 of them cover every size here.
void expect_layer_norm_of(const std::vector<float>& x) {
  const auto n = std::ssize(x);
  const std::vector<float> gamma = random_floats(n, 1.0f, 11);
  const std::vector<float> beta = random_floats(n, 1.0f, 12);
  GuardedArray<float> guarded_x{std::span<const float>(x)};
  GuardedArray<float> guarded_gamma{std::span<const float>(gamma)};
  GuardedArray<float> guarded_beta{std::span<const float>(beta)};
  GuardedArray<float> y(n);
  layer_norm(guarded_x.data(), guarded_gamma.data(), guarded_beta.data(), kEpsilon, y.data(), n);

  const std::vector<double> expected =
      layer_norm_ref(x, gamma, beta, static_cast<double>(kEpsilon));
  double largest = 0.0;
  const std::vector<double> values(x.begin(), x.end());
  for (const double value : values) largest = std::max(largest, std::abs(value));
  const double reach = std::max(1.0, largest / standard_deviation(values));
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i);
    const double size =
        std::abs(static_cast<double>(gamma[at])) * reach + std::abs(static_cast<double>(beta[at]));
    EXPECT_NEAR(static_cast<double>(y[i]), expected[at], 16 * 0x1p-24 * size)
        << "n " << n << ", i " << i;
  }
}

TEST_P(LayerNorm, EqualsReferenceAtEverySize) {
  for (const int64_t n : row_sizes()) expect_layer_norm_of(random_floats(n, 2.0f, 13));
}

TEST_P(LayerNorm, LargeMeanDoesNotDrownTheVariance) {
  std::vector<float> x = random_floats(512, 1.0f, 14);
  for (float& value : x) value += 1000.0f;
  expect_layer_norm_of(x);
}

TEST_P(LayerNorm, ConstantRowGivesBeta) {
  for (const int64_t n : row_sizes()) {
    const std::vector<float> x(static_cast<size_t>(n), 3.0f);
    const std::vector<float> gamma = random_floats(n, 1.0f, 15);
    const std::vector<float> beta = random_floats(n, 1.0f, 16);
    std::vector<float> y(static_cast<size_t>(n));
    layer_norm(x.data(), gamma.data(), beta.data(), kEpsilon, y.data(), n);
    EXPECT_EQ(y, beta) << n;
  }
}

TEST_P(LayerNorm, SameRowGivesSameBitsInPlaceAndAtAnyAddress) {
  for (const int64_t n : {384, 512, 513}) {
    const std::vector<float> x = random_floats(n, 2.0f, 17);
    const std::vector<float> gamma = random_floats(n, 1.0f, 18);
    const std::vector<float> beta = random_floats(n, 1.0f, 19);
    std::vector<float> expected(static_cast<size_t>(n));
    layer_norm(x.data(), gamma.data(), beta.data(), kEpsilon, expected.data(), n);
    for (int64_t offset = 1; offset < 17; ++offset) {
      std::vector<float> room(static_cast<size_t>(n) + 32, 77.0f);
      float* row = room.data() + offset;
      std::copy(x.begin(), x.end(), row);
      layer_norm(row, gamma.data(), beta.data(), kEpsilon, row, n);
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), row)) << offset;
      ASSERT_EQ(row[-1], 77.0f);
      ASSERT_EQ(row[n], 77.0f);
    }
  }
}

TEST_P(LayerNorm, RootMeanSquareEqualsReferenceAlsoInPlace) {
  for (const int64_t n : row_sizes()) {
    const std::vector<float> x = random_floats(n, 2.0f, 20);
    const std::vector<float> gamma = random_floats(n, 1.0f, 21);
    GuardedArray<float> y{std::span<const float>(x)};
    GuardedArray<float> guarded_gamma{std::span<const float>(gamma)};
    rms_norm(y.data(), guarded_gamma.data(), kEpsilon, y.data(), n);
    const std::vector<double> expected = rms_norm_ref(x, gamma, static_cast<double>(kEpsilon));
    for (int64_t i = 0; i < n; ++i) {
      const double wanted = expected[static_cast<size_t>(i)];
      EXPECT_NEAR(static_cast<double>(y[i]), wanted, 8 * 0x1p-24 * std::abs(wanted)) << n;
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
