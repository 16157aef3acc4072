#include "quintet/engine/nn/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::nn {
namespace {

using kernels::random_floats;
using kernels::WeightFormat;

constexpr int64_t kHeads = 3;
constexpr int64_t kDim = 20;
constexpr int64_t kWidth = kHeads * kDim;

// softmax(q K^T) of one query and head.
std::vector<double> plain_weights(const float* q, const float* k, int64_t keys) {
  std::vector<double> weights(static_cast<size_t>(keys));
  double top = -1e30;
  for (int64_t i = 0; i < keys; ++i) {
    double& score = weights[static_cast<size_t>(i)];
    for (int64_t d = 0; d < kDim; ++d)
      score += static_cast<double>(q[d]) * static_cast<double>(k[i * kWidth + d]);
    top = std::max(top, score);
  }
  double sum = 0;
  for (double& w : weights) sum += w = std::exp(w - top);
  for (double& w : weights) w /= sum;
  return weights;
}

std::vector<float> plain_attention(const std::vector<float>& q, const std::vector<float>& k,
                                   const std::vector<float>& v) {
  const auto keys = static_cast<int64_t>(k.size()) / kWidth;
  std::vector<float> out(q.size());
  for (size_t at = 0; at < q.size(); at += kDim) {
    const size_t column = at % kWidth;
    const auto weights = plain_weights(q.data() + at, k.data() + column, keys);
    for (size_t d = 0; d < kDim; ++d) {
      double sum = 0;
      for (size_t i = 0; i < weights.size(); ++i) {
        sum += weights[i] * static_cast<double>(v[i * kWidth + column + d]);
      }
      out[at + d] = static_cast<float>(sum);
    }
  }
  return out;
}

struct Case {
  WeightFormat format;
  float tolerance;
};

class AttendPacked : public testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void SetUp() override { set_active_isa(std::get<0>(GetParam())); }
  void TearDown() override { set_active_isa(before_); }

  static constexpr int64_t kMaxKeys = 150;

  void pack(const std::vector<float>& k, const std::vector<float>& v) {
    const auto keys = static_cast<int64_t>(k.size()) / kWidth;
    kv_.pack(run_, matrix<const float>(k.data(), keys, kWidth),
             matrix<const float>(v.data(), keys, kWidth));
  }

  std::vector<float> attend(const std::vector<float>& q,
                            const AttentionObserver* observer = nullptr) {
    const auto queries = static_cast<int64_t>(q.size()) / kWidth;
    std::vector<float> out(q.size());
    attend_packed(run_, matrix<const float>(q.data(), queries, kWidth), kv_, scratch_,
                  matrix(out.data(), queries, kWidth), observer);
    return out;
  }

  Case case_ = std::get<1>(GetParam());
  ThreadPool pool_{3};
  InputScratch input_{1, 1, 1, 1};
  Runtime run_{pool_, input_};
  PackedKeyValues kv_{case_.format, kHeads, kDim, kMaxKeys};
  AttentionScratch scratch_{3, kDim, kMaxKeys};

 private:
  Isa before_ = active_isa();
};

TEST_P(AttendPacked, EqualsAPlainLoop) {
  // Longest first: what a longer pack leaves behind must not show in a shorter one.
  for (const int64_t keys : {150, 149, 64, 33, 1}) {
    const auto k = random_floats(keys * kWidth, 1, 1);
    const auto v = random_floats(keys * kWidth, 1, 2);
    pack(k, v);
    EXPECT_EQ(kv_.keys(), keys);
    for (const int64_t queries : {1, 24, 61}) {
      const auto q = random_floats(queries * kWidth, 0.4f, 3);
      const auto want = plain_attention(q, k, v);
      const auto out = attend(q);
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(out[i], want[i], case_.tolerance) << keys << " keys, " << queries << ", " << i;
      }
    }
  }
}

TEST_P(AttendPacked, AQueryGivesTheSameBitsAloneAndAmongMany) {
  pack(random_floats(101 * kWidth, 1, 1), random_floats(101 * kWidth, 1, 2));
  const auto q = random_floats(50 * kWidth, 0.4f, 3);
  const auto all = attend(q);
  for (const int64_t row : {0, 5, 23, 24, 49}) {
    const auto one = attend({q.begin() + row * kWidth, q.begin() + (row + 1) * kWidth});
    EXPECT_EQ(std::memcmp(one.data(), all.data() + row * kWidth, one.size() * sizeof(float)), 0)
        << row;
  }
}

TEST_P(AttendPacked, ReadsAndWritesInsideWiderRows) {
  // As in an encoder: q, k and v side by side.
  constexpr int64_t kKeys = 70;
  const auto k = random_floats(kKeys * kWidth, 1, 1);
  const auto v = random_floats(kKeys * kWidth, 1, 2);
  const auto q = random_floats(kKeys * kWidth, 0.4f, 3);
  pack(k, v);
  const auto want = attend(q);
  std::vector<float> side_by_side;
  for (int64_t t = 0; t < kKeys; ++t) {
    for (const auto* part : {&q, &k, &v}) {
      side_by_side.insert(side_by_side.end(), part->begin() + t * kWidth,
                          part->begin() + (t + 1) * kWidth);
    }
  }
  const auto column = [&](int64_t first) {
    return MatrixView<const float>{side_by_side.data() + first, kKeys, kWidth, 3 * kWidth};
  };
  kv_.pack(run_, column(kWidth), column(2 * kWidth));
  std::vector<float> out(static_cast<size_t>(kKeys * (kWidth + 1)), 7.0f);
  attend_packed(run_, column(0), kv_, scratch_, {out.data(), kKeys, kWidth, kWidth + 1});
  for (int64_t t = 0; t < kKeys; ++t) {
    for (int64_t i = 0; i < kWidth; ++i) {
      ASSERT_EQ(out[static_cast<size_t>(t * (kWidth + 1) + i)],
                want[static_cast<size_t>(t * kWidth + i)]);
    }
    EXPECT_EQ(out[static_cast<size_t>(t * (kWidth + 1) + kWidth)], 7.0f);
  }
}

TEST_P(AttendPacked, TheObserverSeesTheWeightsOfEveryHeadAndQueryOnce) {
  constexpr int64_t kKeys = 40;
  constexpr int64_t kQueries = 30;
  const auto k = random_floats(kKeys * kWidth, 1, 1);
  const auto q = random_floats(kQueries * kWidth, 0.4f, 3);
  pack(k, k);
  std::vector<int> seen(kHeads * kQueries);
  std::mutex mutex;
  const AttentionObserver observer = [&](int64_t head, int64_t first,
                                         MatrixView<const float> weights) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(weights.cols, kKeys);
    for (int64_t r = 0; r < weights.rows; ++r) {
      ++seen[static_cast<size_t>(head * kQueries + first + r)];
      const auto want = plain_weights(q.data() + (first + r) * kWidth + head * kDim,
                                      k.data() + head * kDim, kKeys);
      for (int64_t i = 0; i < kKeys; ++i) {
        EXPECT_NEAR(static_cast<double>(weights.row(r)[i]), want[static_cast<size_t>(i)],
                    static_cast<double>(case_.tolerance));
      }
    }
  };
  EXPECT_EQ(attend(q, &observer), attend(q));
  EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
}

TEST_P(AttendPacked, GroupsThatAttendToDifferentKeysGiveTheBitsThatEachGivesAlone) {
  struct Recording {
    int64_t keys;
    std::vector<int64_t> groups;  // Rows of each.
  };
  const std::vector<Recording> recordings = {{101, {1, 24}}, {7, {3}}, {150, {1}}};
  std::vector<PackedKeyValues> caches;
  std::vector<AttentionGroup> groups;
  std::vector<float> all_q;
  std::vector<float> want;
  caches.reserve(recordings.size());
  for (const Recording& recording : recordings) {
    const auto seed = static_cast<uint32_t>(recording.keys);
    const auto k = random_floats(recording.keys * kWidth, 1, seed);
    const auto v = random_floats(recording.keys * kWidth, 1, seed + 1);
    PackedKeyValues& kv = caches.emplace_back(case_.format, kHeads, kDim, kMaxKeys);
    kv.pack(run_, matrix<const float>(k.data(), recording.keys, kWidth),
            matrix<const float>(v.data(), recording.keys, kWidth));
    pack(k, v);
    for (const int64_t rows : recording.groups) {
      groups.push_back({&kv, std::ssize(all_q) / kWidth, rows});
      const auto q = random_floats(rows * kWidth, 0.4f, seed + 2 + static_cast<uint32_t>(rows));
      all_q.insert(all_q.end(), q.begin(), q.end());
      const auto alone = attend(q);
      want.insert(want.end(), alone.begin(), alone.end());
    }
  }
  const int64_t rows = std::ssize(all_q) / kWidth;
  std::vector<float> out(all_q.size());
  for (const AttentionGroup& group : groups) {
    for (int64_t head = 0; head < kHeads; ++head) {
      attend_head(matrix<const float>(all_q.data(), rows, kWidth), group, head, 0, scratch_,
                  matrix(out.data(), rows, kWidth));
    }
  }
  EXPECT_EQ(out, want);
}

std::string case_name(const testing::TestParamInfo<std::tuple<Isa, Case>>& test) {
  constexpr std::array kNames = {"_f32", "_bf16", "_i8"};
  return std::string(isa_name(std::get<0>(test.param))) +
         kNames[static_cast<size_t>(std::get<1>(test.param).format)];
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, AttendPacked,
                         testing::Combine(testing::ValuesIn(supported_isas()),
                                          testing::Values(Case{WeightFormat::kF32, 2e-5f},
                                                          Case{WeightFormat::kBF16, 0.05f},
                                                          Case{WeightFormat::kI8, 0.08f})),
                         case_name);

}  // namespace
}  // namespace quintet::nn
