#include "quintet/kernels/softmax/softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "quintet/kernels/softmax/softmax_ref.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kEps = 0x1p-24;  // Half a unit in the last place, relative.

QT_EVERY_ISA(Softmax);

// Relative error of one probability: the exponential 2e-7, rounding of x - max (its size times
// kEps, at most `spread` of it), the sum (n / 4 lanes in one chain at worst: far below n * kEps in
// practice, the bound below holds for the sizes here), the division and the product.
double tolerance(int64_t n, double spread) {
  return 4e-7 + (spread + static_cast<double>(n) / 8 + 3) * kEps;
}

void expect_softmax_of(const std::vector<float>& x, double spread) {
  const auto n = std::ssize(x);
  GuardedArray<float> y{std::span<const float>(x)};
  softmax(y.data(), n);
  const std::vector<double> expected = softmax_ref(x);
  for (int64_t i = 0; i < n; ++i) {
    // Below e^-87.3 of the largest the kernel gives zero.
    EXPECT_NEAR(static_cast<double>(y[i]), expected[static_cast<size_t>(i)],
                expected[static_cast<size_t>(i)] * tolerance(n, spread) + 0x1p-125)
        << "n " << n << ", i " << i;
  }
}

TEST_P(Softmax, EqualsReferenceAtEverySize) {
  for (const int64_t n : edge_sizes()) expect_softmax_of(random_floats(n, 3.0f, 1), 30.0);
  expect_softmax_of(random_floats(448, 3.0f, 2), 30.0);
  expect_softmax_of(random_floats(1500, 3.0f, 3), 30.0);
}

TEST_P(Softmax, ExponentialIsExactToTwoTenMillionths) {
  // Beside a single 0 the terms e^t are read off as p[i] / p[0]; dense over the whole range.
  constexpr int64_t kCount = 4096;
  for (int block = 0; block < 32; ++block) {
    std::vector<float> x(kCount);
    for (int64_t i = 1; i < kCount; ++i) {
      x[static_cast<size_t>(i)] =
          -87.3f * (static_cast<float>(block) + static_cast<float>(i) / kCount) / 32.0f;
    }
    std::vector<float> p = x;
    softmax(p.data(), kCount);
    for (size_t i = 0; i < p.size(); ++i) {
      const double e = std::exp(static_cast<double>(x[i]));
      const double quotient = static_cast<double>(p[i]) / static_cast<double>(p[0]);
      // Two more roundings than the exponential itself: the products with 1 / sum. Products that
      // leave the normal range are left out.
      if (p[i] < 0x1p-124f) continue;
      ASSERT_NEAR(quotient, e, e * (2e-7 + 2 * kEps)) << x[i];
    }
  }
}

TEST_P(Softmax, LargeLogitsStayFinite) {
  std::vector<float> x = random_floats(100, 1.0f, 4);
  for (float& value : x) value += 3e38f;
  softmax(x.data(), 100);
  for (const float p : x) EXPECT_FLOAT_EQ(p, 0.01f);

  std::vector<float> far = {3e38f, -3e38f, 0.0f};
  softmax(far.data(), 3);
  EXPECT_EQ(far, (std::vector<float>{1.0f, 0.0f, 0.0f}));
}

TEST_P(Softmax, MaskedEntriesGetExactlyZero) {
  for (const int64_t n : {2, 17, 64, 448}) {
    std::vector<float> x = random_floats(n, 2.0f, 5);
    std::vector<float> kept;
    for (int64_t i = 0; i < n; ++i) {
      if (i % 3 == 0) {
        x[static_cast<size_t>(i)] = -kInf;
      } else {
        kept.push_back(x[static_cast<size_t>(i)]);
      }
    }
    const std::vector<double> expected = softmax_ref(kept);
    softmax(x.data(), n);
    size_t next = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float p = x[static_cast<size_t>(i)];
      if (i % 3 == 0) {
        EXPECT_EQ(p, 0.0f);
      } else {
        EXPECT_NEAR(static_cast<double>(p), expected[next], expected[next] * tolerance(n, 20.0));
        ++next;
      }
    }
  }
}

TEST_P(Softmax, SameRowGivesSameBitsAtAnyAddress) {
  const std::vector<float> x = random_floats(1500, 3.0f, 6);
  std::vector<float> expected = x;
  softmax(expected.data(), 1500);
  for (int64_t offset = 1; offset < 17; ++offset) {
    std::vector<float> room(1500 + 32, 77.0f);
    std::copy(x.begin(), x.end(), room.begin() + offset);
    softmax(room.data() + offset, 1500);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), room.begin() + offset)) << offset;
    ASSERT_EQ(room[static_cast<size_t>(offset) - 1], 77.0f);
    ASSERT_EQ(room[static_cast<size_t>(offset) + 1500], 77.0f);
  }
}

QT_EVERY_ISA(LogSumExp);

TEST_P(LogSumExp, EqualsReference) {
  std::vector<int64_t> sizes = edge_sizes();
  sizes.push_back(51865);
  for (const int64_t n : sizes) {
    std::vector<float> x = random_floats(n, 4.0f, 7);
    for (int64_t i = 1; i < n; i += 5) x[static_cast<size_t>(i)] = -kInf;
    GuardedArray<float> guarded{std::span<const float>(x)};
    const double expected = log_sum_exp_ref(x);
    // A relative error of the sum is an absolute one of its logarithm.
    EXPECT_NEAR(static_cast<double>(log_sum_exp(guarded.data(), n)), expected,
                2e-6 + 2 * kEps * std::abs(expected))
        << n;
  }
}

TEST_P(LogSumExp, OfOneValueIsTheValue) {
  for (const float x : {-1e30f, -3.25f, 0.0f, 1e30f}) {
    const std::vector<float> row = {-kInf, x, -kInf};
    EXPECT_EQ(log_sum_exp(row.data(), 3), x);
  }
}

QT_EVERY_ISA(Argmax);

TEST_P(Argmax, FindsTheLargestWhereverItStands) {
  for (const int64_t n : edge_sizes()) {
    GuardedArray<float> x{std::span<const float>(random_floats(n, 1.0f, 8))};
    for (int64_t i = 0; i < n; ++i) {
      const float before = x[i];
      x[i] = 100.0f;
      ASSERT_EQ(argmax(x.data(), n), i) << n;
      x[i] = before;
    }
    EXPECT_EQ(argmax(x.data(), n), argmax_ref(x.copy()));
  }
}

TEST_P(Argmax, TakesTheFirstOfEquals) {
  std::vector<float> x(51865, -1.0f);
  EXPECT_EQ(argmax(x.data(), 51865), 0);
  for (const int64_t i : {51864, 40000, 17, 16, 15, 3}) {
    x[static_cast<size_t>(i)] = 2.0f;
    EXPECT_EQ(argmax(x.data(), 51865), i);
  }
  const std::vector<float> zeros = {-1.0f, -0.0f, 0.0f};
  EXPECT_EQ(argmax(zeros.data(), 3), 1);
}

TEST_P(Argmax, OfMaskedRowIsTheOneThatIsNot) {
  std::vector<float> x(100, -kInf);
  EXPECT_EQ(argmax(x.data(), 100), 0);
  x[70] = -1e38f;
  EXPECT_EQ(argmax(x.data(), 100), 70);
}

QT_EVERY_ISA(BlockMaxima);

TEST_P(BlockMaxima, AreThoseOfEachBlockAlsoOfAShortOne) {
  for (const int64_t n : edge_sizes()) {
    GuardedArray<float> x{std::span<const float>(random_floats(n, 1.0f, 9))};
    GuardedArray<float> maxima(block_count(n));
    block_maxima(x.data(), n, maxima.data());
    for (int64_t block = 0; block < maxima.size(); ++block) {
      float expected = -kInf;
      for (int64_t i = block * kMaximaBlock; i < std::min(n, (block + 1) * kMaximaBlock); ++i) {
        expected = std::max(expected, x[i]);
      }
      EXPECT_EQ(maxima[block], expected) << n << " " << block;
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
