#include "quintet/kernels/spectrum/spectrum.h"

#include <cmath>
#include <numbers>

#include "quintet/kernels/spectrum/spectrum_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(MagnitudeSpectrum);

void expect_row(const float* x, const float* y) {
  const std::vector<double> expected = magnitude_spectrum_ref(x);
  double energy = 0.0;
  for (int64_t n = 0; n < kSpectrumSamples; ++n) {
    energy += std::abs(hann_window(n) * static_cast<double>(x[n]));
  }
  for (int64_t k = 0; k < kSpectrumBins; ++k) {
    // Each of the 9 steps (window, 1 + 3 * 2 radix-2 halves, last butterfly, root) adds roundings
    // of about 2^-24 relative to a sum that the sum of moduli bounds.
    EXPECT_NEAR(static_cast<double>(y[k]), expected[static_cast<size_t>(k)], 1e-6 * energy) << k;
  }
}

TEST_P(MagnitudeSpectrum, EqualsReferenceForEveryNumberOfFrames) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33}) {
    constexpr int64_t kStride = 128;  // Frames overlap by half.
    GuardedArray<float> x{
        std::span<const float>(random_floats((rows - 1) * kStride + kSpectrumSamples, 0.3f, 1))};
    GuardedArray<float> y(rows * kSpectrumBins);
    magnitude_spectrum({x.data(), rows, kSpectrumSamples, kStride},
                       matrix(y.data(), rows, kSpectrumBins));
    for (int64_t i = 0; i < rows; ++i) {
      expect_row(x.data() + i * kStride, y.data() + i * kSpectrumBins);
    }
  }
}

TEST_P(MagnitudeSpectrum, WritesOnlyItsBins) {
  const std::vector<float> x = random_floats(kSpectrumSamples * 5, 1.0f, 2);
  constexpr int64_t kStride = kSpectrumBins + 3;
  std::vector<float> y(kStride * 5, -7.0f);
  magnitude_spectrum(matrix(x.data(), 5, kSpectrumSamples), {y.data(), 5, kSpectrumBins, kStride});
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t k = 0; k < kStride; ++k) {
      EXPECT_EQ(y[static_cast<size_t>(i * kStride + k)] == -7.0f, k >= kSpectrumBins);
    }
  }
}

TEST_P(MagnitudeSpectrum, SameFrameGivesSameBitsWhereverItStands) {
  const std::vector<float> x = random_floats(kSpectrumSamples, 1.0f, 3);
  std::vector<float> alone(kSpectrumBins);
  magnitude_spectrum(matrix(x.data(), 1, kSpectrumSamples), matrix(alone.data(), 1, kSpectrumBins));
  for (int64_t at = 0; at < 19; ++at) {
    std::vector<float> many = random_floats(kSpectrumSamples * 19, 1.0f, 4);
    std::copy(x.begin(), x.end(), many.begin() + at * kSpectrumSamples);
    std::vector<float> y(kSpectrumBins * 19);
    magnitude_spectrum(matrix<const float>(many.data(), 19, kSpectrumSamples),
                       matrix(y.data(), 19, kSpectrumBins));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), y.begin() + at * kSpectrumBins)) << at;
  }
}

TEST_P(MagnitudeSpectrum, SilenceGivesExactlyZero) {
  const std::vector<float> x(kSpectrumSamples * 3);
  std::vector<float> y(kSpectrumBins * 3, 1.0f);
  magnitude_spectrum(matrix(x.data(), 3, kSpectrumSamples), matrix(y.data(), 3, kSpectrumBins));
  for (const float value : y) EXPECT_EQ(value, 0.0f);
}

TEST_P(MagnitudeSpectrum, ToneStandsInItsBin) {
  std::vector<float> x(kSpectrumSamples);
  for (int64_t n = 0; n < kSpectrumSamples; ++n) {
    x[static_cast<size_t>(n)] = static_cast<float>(
        std::sin(2.0 * std::numbers::pi * 20.0 * static_cast<double>(n) / kSpectrumSamples));
  }
  std::vector<float> y(kSpectrumBins);
  magnitude_spectrum(matrix(x.data(), 1, kSpectrumSamples), matrix(y.data(), 1, kSpectrumBins));
  // The Hann window sums to 128 and spreads a tone to the two neighbours at half its height.
  EXPECT_NEAR(y[20], 64.0f, 1e-3f);
  EXPECT_NEAR(y[19], 32.0f, 1e-3f);
  EXPECT_NEAR(y[21], 32.0f, 1e-3f);
  EXPECT_NEAR(y[60], 0.0f, 1e-3f);
}

}  // namespace
}  // namespace quintet::kernels
