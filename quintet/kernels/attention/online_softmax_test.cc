#include "quintet/kernels/attention/online_softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "quintet/kernels/softmax/softmax_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(OnlineSoftmax);

// Probabilities of `scores`, taken in blocks of `block`, of which all from `first` on count.
std::vector<float> in_blocks(std::vector<float> scores, int64_t block, int64_t first) {
  SoftmaxState state;
  const int64_t n = std::ssize(scores);
  std::vector<float> weights;
  for (int64_t i = 0; i < n; i += block) {
    const int64_t count = std::min(block, n - i);
    std::vector<float> part(scores.begin() + i, scores.begin() + i + count);
    part.resize(static_cast<size_t>((count + kSoftmaxStep - 1) / kSoftmaxStep * kSoftmaxStep), 9);
    const float correction = add_scores(state, part.data(), std::ssize(part),
                                        std::clamp<int64_t>(first - i, 0, count), count);
    for (float& weight : weights) weight *= correction;
    weights.insert(weights.end(), part.begin(), part.begin() + count);
  }
  for (float& weight : weights) weight /= state.sum;
  return weights;
}

TEST_P(OnlineSoftmax, InBlocksIsTheSoftmaxOfAll) {
  for (const int64_t n : {1, 63, 64, 65, 200, 700}) {
    const std::vector<float> scores = random_floats(n, 5.0f, 1);
    const std::vector<double> expected = softmax_ref(scores);
    for (const int64_t block : {64, 128, 256}) {
      const std::vector<float> weights = in_blocks(scores, block, 0);
      for (size_t i = 0; i < weights.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(weights[i]), expected[i], 2e-6) << n << " " << i;
      }
    }
  }
}

TEST_P(OnlineSoftmax, WhatDoesNotCountHasNoWeight) {
  const std::vector<float> scores = random_floats(300, 5.0f, 2);
  for (const int64_t first : {1, 64, 100, 256, 299}) {
    const std::vector<double> expected =
        softmax_ref(std::vector<float>(scores.begin() + first, scores.end()));
    const std::vector<float> weights = in_blocks(scores, 64, first);
    for (int64_t i = 0; i < 300; ++i) {
      const double wanted = i < first ? 0.0 : expected[static_cast<size_t>(i - first)];
      ASSERT_NEAR(static_cast<double>(weights[static_cast<size_t>(i)]), wanted, 2e-6) << i;
    }
  }
}

TEST_P(OnlineSoftmax, ScoresPastTheEndChangeNoBit) {
  const std::vector<float> scores = random_floats(70, 5.0f, 3);
  std::vector<float> shorter(scores);
  shorter.resize(128, 1e30f);
  std::vector<float> longer(scores);
  longer.resize(256, -3.0f);
  SoftmaxState a;
  SoftmaxState b;
  add_scores(a, shorter.data(), 128, 0, 70);
  add_scores(b, longer.data(), 256, 0, 70);
  EXPECT_EQ(a.maximum, b.maximum);
  EXPECT_EQ(a.sum, b.sum);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST_P(OnlineSoftmax, ScaleAddEqualsAPlainLoop) {
  for (const int64_t n : edge_sizes()) {
    GuardedArray<float> y{std::span<const float>(random_floats(n, 1.0f, 4))};
    const std::vector<float> before = y.copy();
    const std::vector<float> x = random_floats(n, 1.0f, 5);
    scale_add(y.data(), 0.5f, x.data(), n);  // A power of two: both roundings are one.
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      EXPECT_EQ(y[i], before[at] * 0.5f + x[at]);
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
