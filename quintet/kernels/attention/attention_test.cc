#include "quintet/kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "quintet/kernels/attention/attention_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(Attend);

// Rows of keys and values, each of which ends at a page without access when guarded.
struct Cache {
  Cache(int64_t rows, int64_t cols, uint32_t seed)
      : n(rows),
        d(cols),
        k(random_floats(n * d, 1.0f, seed)),
        v(random_floats(n * d, 1.0f, seed + 1)) {}

  std::vector<const float*> pointers(const std::vector<float>& rows) const {
    std::vector<const float*> out;
    for (int64_t i = 0; i < n; ++i) out.push_back(rows.data() + i * d);
    return out;
  }

  int64_t n;
  int64_t d;
  std::vector<float> k;
  std::vector<float> v;
};

std::vector<float> attend_to(const std::vector<float>& q, const Cache& cache) {
  GuardedArray<float> scores(cache.n);
  GuardedArray<float> out(cache.d);
  attend(q.data(), cache.pointers(cache.k).data(), cache.pointers(cache.v).data(), cache.n, cache.d,
         scores.data(), out.data());
  return out.copy();
}

TEST_P(Attend, EqualsReference) {
  for (const int64_t d : {1, 3, 8, 20, 32, 63, 64, 65, 80, 100, 128}) {
    for (const int64_t n : {1, 2, 3, 4, 5, 17, 64, 448, 1500}) {
      const Cache cache(n, d, 21);
      std::vector<float> q = random_floats(d, 1.0f, 23);
      for (float& x : q) x *= 2.0f / std::sqrt(static_cast<float>(d));
      const std::vector<float> out = attend_to(q, cache);
      const std::vector<double> expected =
          attend_ref(q, matrix(cache.k.data(), n, d), matrix(cache.v.data(), n, d));
      for (size_t c = 0; c < out.size(); ++c) {
        // A score is a sum of d products below 10 in all, so that probabilities are off by less
        // than 10 * d roundings; |v| < 6.
        EXPECT_NEAR(static_cast<double>(out[c]), expected[c],
                    (60.0 * static_cast<double>(d) + 60.0) * 0x1p-24)
            << "n " << n << ", d " << d << ", c " << c;
      }
    }
  }
}

TEST_P(Attend, ReadsNothingPastTheEndOfARow) {
  for (const int64_t d : {1, 7, 64, 65, 79}) {
    constexpr int64_t kRows = 7;
    const Cache cache(kRows, d, 31);
    const std::vector<float> q = random_floats(d, 0.5f, 33);
    GuardedArray<float> last_k{std::span(cache.k).last(static_cast<size_t>(d))};
    GuardedArray<float> last_v{std::span(cache.v).last(static_cast<size_t>(d))};
    GuardedArray<float> guarded_q{std::span<const float>(q)};
    std::vector<const float*> k = cache.pointers(cache.k);
    std::vector<const float*> v = cache.pointers(cache.v);
    k.back() = last_k.data();
    v.back() = last_v.data();
    std::vector<float> scores(kRows);
    std::vector<float> out(static_cast<size_t>(d));
    attend(guarded_q.data(), k.data(), v.data(), kRows, d, scores.data(), out.data());
    EXPECT_EQ(out, attend_to(q, cache));
  }
}

TEST_P(Attend, LeavesTheProbabilitiesInScores) {
  const Cache cache(100, 64, 41);
  const std::vector<float> q = random_floats(64, 0.2f, 43);
  std::vector<float> scores(100);
  std::vector<float> out(64);
  attend(q.data(), cache.pointers(cache.k).data(), cache.pointers(cache.v).data(), 100, 64,
         scores.data(), out.data());
  double sum = 0.0;
  for (const float p : scores) {
    EXPECT_GT(p, 0.0f);
    sum += static_cast<double>(p);
  }
  EXPECT_NEAR(sum, 1.0, 100 * 0x1p-24);
}

TEST_P(Attend, RowsWhereverTheyLieGiveTheSameBits) {
  const Cache cache(450, 64, 51);
  const std::vector<float> q = random_floats(64, 0.2f, 53);
  const std::vector<float> expected = attend_to(q, cache);
  // Rows scattered backwards, each at an odd address.
  constexpr int64_t kPitch = 67;
  std::vector<float> k(450 * kPitch + 1);
  std::vector<float> v(450 * kPitch + 1);
  std::vector<const float*> k_rows;
  std::vector<const float*> v_rows;
  for (int64_t i = 0; i < 450; ++i) {
    float* k_row = k.data() + (449 - i) * kPitch + 1;
    float* v_row = v.data() + (449 - i) * kPitch + 1;
    std::copy_n(cache.k.data() + i * 64, 64, k_row);
    std::copy_n(cache.v.data() + i * 64, 64, v_row);
    k_rows.push_back(k_row);
    v_rows.push_back(v_row);
  }
  std::vector<float> scores(450);
  std::vector<float> out(64);
  attend(q.data(), k_rows.data(), v_rows.data(), 450, 64, scores.data(), out.data());
  EXPECT_EQ(out, expected);
}

QT_EVERY_ISA(PackAttention);

std::vector<uint32_t> words_of(GuardedArray<std::byte>& panels, int64_t bytes) {
  std::vector<uint32_t> words(static_cast<size_t>(bytes) / sizeof(uint32_t));
  std::memcpy(words.data(), panels.data(), static_cast<size_t>(bytes));
  return words;
}

void expect_packed(WeightFormat format, MatrixView<const float> rows) {
  const int64_t key_bytes = packed_bytes(format, rows.rows, rows.cols);
  GuardedArray<std::byte> keys(key_bytes);
  std::memset(keys.data(), 0xa5, static_cast<size_t>(key_bytes));
  pack_keys(format, rows, keys.data());
  EXPECT_EQ(words_of(keys, key_bytes),
            panels_ref(format, rows.rows, rows.cols,
                       [&](int64_t channel, int64_t k) { return rows.row(channel)[k]; }))
      << "keys " << rows.rows << " x " << rows.cols;

  const int64_t value_bytes = packed_bytes(format, rows.cols, rows.rows);
  GuardedArray<std::byte> values(value_bytes);
  std::memset(values.data(), 0xa5, static_cast<size_t>(value_bytes));
  pack_values(format, rows, values.data());
  EXPECT_EQ(words_of(values, value_bytes),
            panels_ref(format, rows.cols, rows.rows,
                       [&](int64_t channel, int64_t k) { return rows.row(k)[channel]; }))
      << "values " << rows.rows << " x " << rows.cols;
}

TEST_P(PackAttention, EqualsTheLayoutWordForWord) {
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16}) {
    for (const int64_t n : {1, 2, 15, 16, 17, 63, 64, 65, 130}) {
      for (const int64_t d : {1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 80}) {
        const int64_t stride = d + 3;
        GuardedArray<float> rows{
            std::span<const float>(random_floats((n - 1) * stride + d, 1.0f, 61))};
        expect_packed(format, {rows.data(), n, d, stride});
      }
    }
    const std::vector<float> encoder = random_floats(1500 * 64, 1.0f, 62);
    expect_packed(format, matrix(encoder.data(), 1500, 64));
  }
}

TEST_P(PackAttention, RoundsSpecialValuesAsTheConversionDoes) {
  using Limits = std::numeric_limits<float>;
  const float special[] = {Limits::infinity(),
                           -Limits::infinity(),
                           Limits::quiet_NaN(),
                           std::bit_cast<float>(0x7f800001u),
                           std::bit_cast<float>(0xffffffffu),
                           Limits::max(),
                           Limits::lowest(),
                           Limits::denorm_min(),
                           0x1.234567p-130f,
                           -0.0f,
                           1.0f + 0x1p-8f,
                           1.0f + 3 * 0x1p-8f};
  std::vector<float> rows(20 * 40);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = special[i * 7 % std::size(special)];
  expect_packed(WeightFormat::kBF16, matrix(rows.data(), 20, 40));
}

}  // namespace
}  // namespace quintet::kernels
