#include "quintet/engine/nn/output_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "quintet/core/aligned.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::nn {
namespace {

using kernels::random_floats;
using kernels::WeightFormat;

constexpr int64_t kVocabulary = 5000;
constexpr int64_t kWidth = 96;
constexpr float kForbidden = -std::numeric_limits<float>::infinity();

class OutputHeadTest : public ::testing::Test {
 protected:
  OutputHeadTest()
      : weights_(random_floats(kVocabulary * kWidth, 0.5f, 1)),
        head_(make(WeightFormat::kI8)),
        scratch_(8, 8 * padded_width(kWidth), pool_.threads(), kWidth) {}

  OutputHead make(WeightFormat format) {
    std::vector<std::byte*> places;
    for (const StoredTensor& tensor : stored_head_tensors("head", format, kVocabulary, kWidth)) {
      memory_.emplace_back(static_cast<size_t>(tensor.bytes()));
      places.push_back(memory_.back().data());
    }
    for (int64_t panel = 0; panel < kernels::panel_count(kVocabulary); ++panel) {
      const int64_t first = panel * kernels::kPanelWidth;
      const int64_t rows = std::min(kernels::kPanelWidth, kVocabulary - first);
      pack_head_panel(format, panel, {weights_.data() + first * kWidth, rows, kWidth, kWidth}, {},
                      places);
    }
    const std::vector<const std::byte*> data(places.begin(), places.end());
    return stored_head(format, kVocabulary, kWidth, data);
  }

  std::vector<float> exact(const OutputHead& head, const std::vector<float>& x) {
    return logits(head, x, exact_logits);
  }
  std::vector<float> estimates(const std::vector<float>& x) {
    return logits(head_, x, estimate_logits);
  }

  ThreadPool pool_{2};
  std::vector<float> weights_;
  std::vector<AlignedBytes> memory_;
  OutputHead head_;
  InputScratch scratch_;
  Runtime run_{.pool = pool_, .scratch = scratch_};

 private:
  using Product = void (*)(Runtime&, const OutputHead&, MatrixView<const float>, MatrixView<float>);
  std::vector<float> logits(const OutputHead& head, const std::vector<float>& x, Product product) {
    std::vector<float> y(kVocabulary);
    product(run_, head, matrix(x.data(), 1, kWidth), matrix(y.data(), 1, kVocabulary));
    return y;
  }
};

// The positions of the `count` largest.
std::vector<size_t> best_of(const std::vector<float>& logits, size_t count) {
  std::vector<size_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = i;
  std::partial_sort(ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
                    [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  ids.resize(count);
  return ids;
}

TEST_F(OutputHeadTest, TheLargestOfRefinedEstimatesAreThoseOfTheExactLogits) {
  for (uint32_t seed = 2; seed < 40; ++seed) {
    const auto x = random_floats(kWidth, 1, seed);
    const auto want = exact(head_, x);
    for (const int64_t count : {1, 6}) {
      std::vector<float> logits = estimates(x);
      ASSERT_NE(logits, want);
      float error = 0;
      refine_logits(head_, x, count, error, logits);
      EXPECT_GT(error, 0);
      const auto best = best_of(logits, static_cast<size_t>(count));
      EXPECT_EQ(best, best_of(want, static_cast<size_t>(count)));
      for (const size_t id : best) EXPECT_EQ(logits[id], want[id]);
    }
  }
}

// The best tokens are forbidden after a first refinement has made them, and few others, exact.
TEST_F(OutputHeadTest, MayBeRefinedAgainWhenMoreIsForbidden) {
  for (uint32_t seed = 2; seed < 40; ++seed) {
    const auto x = random_floats(kWidth, 1, seed);
    auto want = exact(head_, x);
    std::vector<float> logits = estimates(x);
    float error = 0;
    refine_logits(head_, x, 1, error, logits);
    const float before = error;
    for (const size_t id : best_of(want, 500)) want[id] = logits[id] = kForbidden;
    refine_logits(head_, x, 1, error, logits);
    EXPECT_GE(error, before);
    EXPECT_EQ(best_of(logits, 1), best_of(want, 1));
    EXPECT_EQ(std::ranges::count(logits, kForbidden), 500);
  }
}

TEST_F(OutputHeadTest, WhatIsForbiddenStaysSoHoweverLittleIsLeft) {
  const auto x = random_floats(kWidth, 1, 3);
  const auto want = exact(head_, x);
  for (const size_t left : {0, 1, 5}) {
    std::vector<float> logits(kVocabulary, kForbidden);
    const auto estimated = estimates(x);
    for (size_t i = 0; i < left; ++i) logits[7 * i] = estimated[7 * i];
    float error = 0;
    refine_logits(head_, x, 6, error, logits);
    EXPECT_EQ(std::ranges::count(logits, kForbidden), kVocabulary - static_cast<int64_t>(left));
    for (size_t i = 0; i < left; ++i) EXPECT_EQ(logits[7 * i], want[7 * i]);
  }
}

TEST_F(OutputHeadTest, OfOneStageIsExactAtOnce) {
  const OutputHead whole = make(WeightFormat::kF32);
  const auto x = random_floats(kWidth, 1, 3);
  const auto want = exact(whole, x);
  std::vector<float> logits(kVocabulary);
  estimate_logits(run_, whole, matrix(x.data(), 1, kWidth), matrix(logits.data(), 1, kVocabulary));
  EXPECT_EQ(logits, want);
  float error = 0;
  refine_logits(whole, x, 1, error, logits);
  EXPECT_EQ(logits, want);
  EXPECT_EQ(error, 0);
}

TEST_F(OutputHeadTest, ConcurrentRowsAreRefinedAsAlone) {
  std::vector<std::vector<float>> alone;
  std::vector<std::vector<float>> together;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    const auto x = random_floats(kWidth, 1, seed);
    alone.push_back(estimates(x));
    together.push_back(alone.back());
    float error = 0;
    refine_logits(head_, x, 1, error, alone.back());
  }
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      float error = 0;
      refine_logits(head_, random_floats(kWidth, 1, seed), 1, error, together[seed]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

TEST_F(OutputHeadTest, EmbedsATokenAsTheExactRowOfIt) {
  std::vector<float> row(kWidth);
  embed_token(head_, 4321, row.data());
  for (size_t k = 0; k < row.size(); ++k) {
    EXPECT_NEAR(row[k], weights_[4321 * kWidth + k], 2.5f / 127);
  }
}

}  // namespace
}  // namespace quintet::nn
