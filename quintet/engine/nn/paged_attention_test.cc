#include "quintet/engine/nn/paged_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::nn {
namespace {

using kernels::random_floats;
using kernels::WeightFormat;

constexpr int64_t kLayers = 2;
constexpr int64_t kLayer = 1;
constexpr float kScale = 0.25f;

struct Case {
  WeightFormat format;
  int64_t group;  // Query heads of a head of keys.
  int64_t heads;
  int64_t dim;
  int64_t window;
};

std::string case_name(const testing::TestParamInfo<std::tuple<Isa, Case>>& info) {
  const auto& [isa, c] = info.param;
  return std::string(isa_name(isa)) + (c.format == WeightFormat::kF32 ? "_f32" : "_bf16") +
         "_group" + std::to_string(c.group) + "_dim" + std::to_string(c.dim) + "_window" +
         std::to_string(c.window);
}

class PagedAttention : public testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  static constexpr int64_t kTokens = 600;

  void SetUp() override {
    set_active_isa(std::get<0>(GetParam()));
    // Pages in no order.
    while (const auto page = cache_.take()) pages_.push_back(*page);
    std::swap(pages_[0], pages_[3]);
    std::swap(pages_[2], pages_[7]);
    std::ranges::reverse(pages_);
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t h = 0; h < case_.heads; ++h) {
        const auto at = static_cast<size_t>((t * case_.heads + h) * case_.dim);
        cache_.store(kLayer, pages_[static_cast<size_t>(t / KeyValuePages::kTokens)],
                     t % KeyValuePages::kTokens, h, &k_[at], &v_[at]);
      }
    }
  }
  void TearDown() override { set_active_isa(before_); }

  KeyValuePages make_cache() const {
    const KeyValueShape shape = {case_.format, kLayers, case_.heads, case_.dim};
    return {shape, 10 * KeyValuePages(shape, 0).page_bytes()};
  }

  float stored(float x) const {
    return case_.format == WeightFormat::kF32 ? x : bf16_to_f32(bf16_from_f32(x));
  }

  int64_t query_width() const { return case_.heads * case_.group * case_.dim; }

  // Of the tokens from `position` on. Shapes: q, out [tokens, query_width()].
  std::vector<float> attend(const std::vector<float>& q, int64_t position, int64_t tokens) {
    std::vector<float> out(q.size());
    PagedScratch scratch(1, case_.group, case_.dim);
    const PagedHeads heads = {.layer = kLayer,
                              .query_heads = case_.heads * case_.group,
                              .scale = kScale,
                              .window = case_.window};
    for (int64_t row = 0; row < tokens; row += PagedScratch::kQueryTokens) {
      const PagedQueries queries = {.pages = pages_,
                                    .position = position + row,
                                    .tokens = std::min(PagedScratch::kQueryTokens, tokens - row),
                                    .row = row};
      for (int64_t head = 0; head < case_.heads; ++head) {
        attend_paged(cache_, heads, head, queries,
                     matrix<const float>(q.data(), tokens, query_width()), scratch, 0,
                     matrix(out.data(), tokens, query_width()));
      }
    }
    return out;
  }

  // One query head of one token, in double precision.
  std::vector<double> plain(const float* q, int64_t head, int64_t position) const {
    const int64_t first = case_.window == 0 ? 0 : std::max<int64_t>(0, position - case_.window + 1);
    std::vector<double> out(static_cast<size_t>(case_.dim));
    std::vector<double> scores;
    for (int64_t t = first; t <= position; ++t) {
      double score = 0;
      for (int64_t d = 0; d < case_.dim; ++d) {
        score += static_cast<double>(stored(q[d] * kScale)) * key(k_, t, head, d);
      }
      scores.push_back(score);
    }
    const double top = *std::ranges::max_element(scores);
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - top);
    for (int64_t t = first; t <= position; ++t) {
      for (int64_t d = 0; d < case_.dim; ++d) {
        out[static_cast<size_t>(d)] +=
            scores[static_cast<size_t>(t - first)] / sum * key(v_, t, head, d);
      }
    }
    return out;
  }

  double key(const std::vector<float>& of, int64_t token, int64_t head, int64_t d) const {
    return static_cast<double>(
        stored(of[static_cast<size_t>((token * case_.heads + head) * case_.dim + d)]));
  }

  Isa before_ = active_isa();
  Case case_ = std::get<1>(GetParam());
  KeyValuePages cache_ = make_cache();
  std::vector<int32_t> pages_;
  std::vector<float> k_ = random_floats(kTokens * case_.heads * case_.dim, 1, 1);
  std::vector<float> v_ = random_floats(kTokens * case_.heads * case_.dim, 1, 2);
};

INSTANTIATE_TEST_SUITE_P(Cases, PagedAttention,
                         testing::Combine(testing::ValuesIn(supported_isas()),
                                          testing::Values(Case{WeightFormat::kF32, 1, 2, 16, 0},
                                                          Case{WeightFormat::kF32, 3, 2, 20, 0},
                                                          Case{WeightFormat::kF32, 4, 1, 64, 70},
                                                          Case{WeightFormat::kF32, 2, 1, 16, 1},
                                                          Case{WeightFormat::kBF16, 1, 2, 64, 0},
                                                          Case{WeightFormat::kBF16, 3, 2, 20, 256},
                                                          Case{WeightFormat::kBF16, 8, 1, 32, 64})),
                         case_name);

TEST_P(PagedAttention, IsThatOfThePlainLoopAroundPagesAndBlocks) {
  // Weights of bfloat16 are rounded once: half a unit of 2^-8 of each, values stay below 5.
  const double tolerance = case_.format == WeightFormat::kF32 ? 2e-5 : 2e-2;
  const auto q = random_floats(40 * query_width(), 2, 3);
  for (const int64_t position : {0, 1, 62, 63, 64, 65, 127, 255, 256, 257, 300, 511, 512, 560}) {
    const auto out = attend(q, position, 40);
    for (const int64_t row : {0, 1, 15, 16, 39}) {
      for (int64_t h = 0; h < case_.heads * case_.group; ++h) {
        const auto at = static_cast<size_t>(row * query_width() + h * case_.dim);
        const auto expected = plain(&q[at], h / case_.group, position + row);
        for (size_t d = 0; d < expected.size(); ++d) {
          ASSERT_NEAR(static_cast<double>(out[at + d]), expected[d], tolerance)
              << "position " << position << " row " << row << " head " << h;
        }
      }
    }
  }
}

TEST_P(PagedAttention, IsTheSameForATokenAloneAsForManyTogether) {
  const auto width = static_cast<size_t>(query_width());
  const auto q = random_floats(40 * query_width(), 2, 3);
  for (const int64_t position : {0, 50, 240, 500}) {
    const auto together = attend(q, position, 40);
    for (size_t row = 0; row < 40; ++row) {
      const auto first = q.begin() + static_cast<std::ptrdiff_t>(row * width);
      const auto alone = attend({first, first + static_cast<std::ptrdiff_t>(width)},
                                position + static_cast<int64_t>(row), 1);
      ASSERT_TRUE(std::equal(alone.begin(), alone.end(),
                             together.begin() + static_cast<std::ptrdiff_t>(row * width)))
          << position << " + " << row;
    }
  }
}

TEST_P(PagedAttention, DoesNotSeeTokensThatFollow) {
  const auto q = random_floats(query_width(), 2, 3);
  const auto before = attend(q, 100, 1);
  const std::vector<float> other(static_cast<size_t>(case_.dim), 1e30f);
  for (int64_t t = 101; t < kTokens; ++t) {
    for (int64_t h = 0; h < case_.heads; ++h) {
      cache_.store(kLayer, pages_[static_cast<size_t>(t / KeyValuePages::kTokens)],
                   t % KeyValuePages::kTokens, h, other.data(), other.data());
    }
  }
  EXPECT_EQ(attend(q, 100, 1), before);
}

}  // namespace
}  // namespace quintet::nn
