#include "quintet/kernels/attention/attend_i8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(AttendI8);

// Rows in int8, and the same as floats.
struct Int8Rows {
  Int8Rows(const std::vector<float>& x, int64_t n, int64_t d)
      : stride(padded_depth(WeightFormat::kI8, d)),
        bytes(static_cast<size_t>(n * stride)),
        scales(static_cast<size_t>(n)),
        sums(static_cast<size_t>(n)),
        view{bytes.data(), n, stride, scales.data(), sums.data()} {
    quantize_rows(matrix(x.data(), n, d), view);
  }
  double value(int64_t i, int64_t c) const {
    return static_cast<double>(bytes[static_cast<size_t>(i * stride + c)]) *
           static_cast<double>(scales[static_cast<size_t>(i)]);
  }

  int64_t stride;
  std::vector<int8_t> bytes;
  std::vector<float> scales;
  std::vector<int32_t> sums;
  QuantizedRows view;
};

// Random queries, keys and values of one head, quantised and packed.
struct Head {
  Head(int64_t queries, int64_t keys, int64_t dim, float spread)
      : n(keys),
        d(dim),
        v(random_floats(n * d, 1.0f, 3)),
        q(random_floats(queries * d, spread / std::sqrt(static_cast<float>(dim)), 1), queries, d),
        k(random_floats(n * d, 1.0f, 2), n, d),
        key_panels(static_cast<size_t>(packed_bytes(WeightFormat::kI8, n, d))),
        value_panels(static_cast<size_t>(packed_bytes(WeightFormat::kI8, d, n))),
        key_scales(panel_count(n) * kPanelWidth),
        value_scales(panel_count(d) * kPanelWidth) {
    Int8Rows packed = k;
    packed.view = {packed.bytes.data(), n, k.stride, packed.scales.data(), packed.sums.data()};
    pack_keys_i8(packed.view, d, key_panels.data(), key_scales.data());
    pack_values_i8(matrix<const float>(v.data(), n, d), value_panels.data(), value_scales.data());
  }

  Int8KeyValues packed() const {
    return {.keys = {WeightFormat::kI8, n, d, key_panels.data(), key_scales.data()},
            .value_panels = value_panels.data(),
            .value_scales = value_scales.data()};
  }

  std::vector<float> attend(int64_t first, int64_t rows) const {
    std::vector<float> out(static_cast<size_t>(rows * d));
    attend_i8(q.view.rows_from(first, rows), packed(), matrix(out.data(), rows, d));
    return out;
  }

  int64_t n;
  int64_t d;
  std::vector<float> v;
  Int8Rows q;
  Int8Rows k;
  AlignedBytes key_panels;
  AlignedBytes value_panels;
  AlignedArray<float> key_scales;
  AlignedArray<float> value_scales;
};

// softmax(q K^T) V of one query with the quantised q and K, and how far an attention that rounds
// weights to 255ths of the largest in each block of 256 keys can be from it.
struct Expected {
  std::vector<double> out;
  double tolerance;
};

Expected reference(const Head& head, int64_t query) {
  std::vector<double> scores;
  for (int64_t i = 0; i < head.n; ++i) {
    double s = 0;
    for (int64_t c = 0; c < head.d; ++c) s += head.q.value(query, c) * head.k.value(i, c);
    scores.push_back(s);
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  double off = 0;
  std::vector<double> out(static_cast<size_t>(head.d));
  for (int64_t block = 0; block < head.n; block += 256) {
    const int64_t end = std::min(block + 256, head.n);
    const double block_top = *std::max_element(scores.begin() + block, scores.begin() + end);
    // Half a step of rounding, and the error of the exponential at 255.
    off += static_cast<double>(end - block) * 0.55 / 255 * std::exp(block_top - top);
    for (int64_t i = block; i < end; ++i) {
      const double w = std::exp(scores[static_cast<size_t>(i)] - top);
      sum += w;
      for (int64_t c = 0; c < head.d; ++c) {
        out[static_cast<size_t>(c)] +=
            w * static_cast<double>(head.v[static_cast<size_t>(i * head.d + c)]);
      }
    }
  }
  for (double& x : out) x /= sum;
  // Values lie within 5.5 of zero; weights that are off by `off` in all move the mean by at most
  // twice that share of the largest value. Values are off by half a step themselves.
  return {out, 2 * 5.5 * off / (sum - off) + 5.5 / 127 / 2};
}

TEST_P(AttendI8, StaysWithinTheRoundingOfItsWeights) {
  for (const int64_t d : {1, 16, 64, 65, 80, 128}) {
    for (const int64_t n : {1, 3, 4, 63, 64, 65, 255, 256, 257, 600}) {
      const Head head(7, n, d, 4.0f);
      const std::vector<float> out = head.attend(0, 7);
      for (int64_t r = 0; r < 7; ++r) {
        const Expected expected = reference(head, r);
        for (int64_t c = 0; c < d; ++c) {
          ASSERT_NEAR(static_cast<double>(out[static_cast<size_t>(r * d + c)]),
                      expected.out[static_cast<size_t>(c)], expected.tolerance)
              << "d " << d << ", n " << n << ", row " << r << ", column " << c;
        }
      }
    }
  }
}

// The bound above is for the worst case; on the whole it is far better than that.
TEST_P(AttendI8, IsCloseOnAverage) {
  const Head head(24, 1500, 64, 3.0f);
  const std::vector<float> out = head.attend(0, 24);
  double difference = 0;
  double size = 0;
  for (int64_t r = 0; r < 24; ++r) {
    const Expected expected = reference(head, r);
    for (int64_t c = 0; c < 64; ++c) {
      const double want = expected.out[static_cast<size_t>(c)];
      difference += std::pow(static_cast<double>(out[static_cast<size_t>(r * 64 + c)]) - want, 2);
      size += want * want;
    }
  }
  EXPECT_LT(std::sqrt(difference / size), 0.03);
}

TEST_P(AttendI8, RowsDoNotDependOnEachOther) {
  const Head head(kInt8QueryBlock, 300, 64, 4.0f);
  const std::vector<float> together = head.attend(0, kInt8QueryBlock);
  for (int64_t r = 0; r < kInt8QueryBlock; ++r) {
    const std::vector<float> alone = head.attend(r, 1);
    ASSERT_EQ(alone, std::vector<float>(together.begin() + r * 64, together.begin() + (r + 1) * 64))
        << "row " << r;
  }
}

TEST_P(AttendI8, ZeroQueriesGiveTheMean) {
  Head head(1, 300, 64, 4.0f);
  std::fill(head.q.bytes.begin(), head.q.bytes.end(), 0);
  head.q.scales[0] = 0;
  head.q.sums[0] = 0;
  const std::vector<float> out = head.attend(0, 1);
  for (int64_t c = 0; c < 64; ++c) {
    double mean = 0;
    for (int64_t i = 0; i < 300; ++i)
      mean += static_cast<double>(head.v[static_cast<size_t>(i * 64 + c)]);
    EXPECT_NEAR(static_cast<double>(out[static_cast<size_t>(c)]), mean / 300, 5.5 / 127 / 2);
  }
}

TEST_P(AttendI8, OneKeyThatStandsOutGivesItsValue) {
  Head head(1, 500, 64, 400.0f);
  const std::vector<float> out = head.attend(0, 1);
  const Expected expected = reference(head, 0);
  for (int64_t c = 0; c < 64; ++c) {
    EXPECT_NEAR(static_cast<double>(out[static_cast<size_t>(c)]),
                expected.out[static_cast<size_t>(c)], 0.03);
  }
}

}  // namespace
}  // namespace quintet::kernels
