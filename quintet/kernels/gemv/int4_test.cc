#include "quintet/kernels/gemv/int4.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/gemv/int4_ref.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(Int4);

constexpr std::array<int64_t, 7> kRows = {1, 2, 3, 4, 5, 9, 16};
constexpr std::array<int64_t, 5> kChannels = {1, 63, 64, 65, 200};
constexpr std::array<int64_t, 7> kDepths = {1, 7, 31, 32, 33, 96, 320};

// A product with all its operands, each of which ends at a page that must not be touched.
class Product {
 public:
  Product(int64_t m, int64_t n, int64_t k)
      : m_(m),
        depth_(padded_depth(WeightFormat::kI4, k)),
        x_(m * depth_),
        x_scales_(m),
        x_sums_(m),
        group_sums_(m * depth_ / kInt4Group),
        panels_(packed_bytes(WeightFormat::kI4, n, k)),
        bias_(random_floats(n, 1.0f, 3)),
        y_(random_floats(m * n, 1.0f, 4)) {
    const auto seed = static_cast<uint32_t>(m * 7919 + n * 31 + k);
    const std::vector<float> w = random_floats(n * k, 1.0f, seed);
    const std::vector<float> x = random_floats(m * k, 1.0f, seed + 1);
    pack_weights(WeightFormat::kI4, matrix<const float>(w.data(), n, k), panels_.data(), nullptr);
    w_ = {WeightFormat::kI4, n, k, panels_.data(), nullptr};
    quantize_rows(matrix<const float>(x.data(), m, k), rows());
  }

  QuantizedRows rows() {
    return {x_.data(), m_, depth_, x_scales_.data(), x_sums_.data(), group_sums_.data()};
  }
  const PackedWeights& w() const { return w_; }
  MatrixView<float> y() { return matrix(y_.data(), m_, w_.n); }
  const float* bias() { return bias_.data(); }

  std::vector<float> run(const Epilogue& epilogue) {
    gemm_i4(rows(), w_, epilogue, y(), 0, panel_count(w_.n));
    return y_.copy();
  }
  // Before run() where the residual is y.
  std::vector<float> reference(Epilogue epilogue) {
    std::vector<float> expected = y_.copy();
    if (epilogue.residual == y_.data()) epilogue.residual = expected.data();
    gemm_i4_ref(rows(), w_, epilogue, matrix(expected.data(), m_, w_.n));
    return expected;
  }

  // Of one output: the integers are exact, then come two roundings a group and three for scale,
  // bias and residual, each of at most half a unit of the sum of magnitudes; GELU adds 1e-6.
  float tolerance(int64_t row) const {
    float magnitude = 4;  // Bias and residual.
    const float* scale = &x_scale(row);
    // |x| <= 127 scales, |w| <= 8 scales of which normal weights have none above 1.
    magnitude += static_cast<float>(w_.k) * 127 * *scale * 8;
    const auto roundings = static_cast<float>(2 * depth_ / kInt4Group + 3);
    return magnitude * roundings * 0x1p-24f + 1e-5f;
  }

 private:
  const float& x_scale(int64_t row) const { return const_cast<Product*>(this)->x_scales_[row]; }

  int64_t m_;
  int64_t depth_;
  GuardedArray<int8_t> x_;
  GuardedArray<float> x_scales_;
  GuardedArray<int32_t> x_sums_;
  GuardedArray<int32_t> group_sums_;
  GuardedArray<std::byte> panels_;
  PackedWeights w_;
  GuardedArray<float> bias_;
  GuardedArray<float> y_;
};

TEST_P(Int4, EqualsTheReferenceAtEverySize) {
  for (const int64_t m : kRows) {
    for (const int64_t n : kChannels) {
      for (const int64_t k : kDepths) {
        SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + " k " +
                     std::to_string(k));
        Product product(m, n, k);
        const Epilogue epilogue = {.bias = product.bias(), .residual = product.y().data};
        const std::vector<float> expected = product.reference(epilogue);
        const std::vector<float> y = product.run(epilogue);
        for (size_t i = 0; i < y.size(); ++i) {
          ASSERT_NEAR(y[i], expected[i], product.tolerance(static_cast<int64_t>(i) / n)) << i;
        }
      }
    }
  }
}

TEST_P(Int4, BiasAndGeluAreApplied) {
  Product product(3, 70, 64);
  const Epilogue epilogue = {.bias = product.bias(), .gelu = true};
  const std::vector<float> expected = product.reference(epilogue);
  const std::vector<float> y = product.run(epilogue);
  for (size_t i = 0; i < y.size(); ++i) {
    // The slope of GELU is at most 1.13.
    ASSERT_NEAR(y[i], expected[i], 2 * product.tolerance(static_cast<int64_t>(i) / 70)) << i;
  }
}

TEST_P(Int4, ARowIsTheSameAloneAndInABatch) {
  Product product(16, 130, 320);
  const std::vector<float> batch = product.run({});
  for (int64_t i = 0; i < 16; ++i) {
    std::vector<float> alone(130);
    gemm_i4(product.rows().rows_from(i, 1), product.w(), {}, matrix(alone.data(), 1, 130), 0, 3);
    EXPECT_EQ(std::memcmp(alone.data(), batch.data() + i * 130, 130 * sizeof(float)), 0) << i;
  }
}

TEST_P(Int4, ReadsRowsAtOddAddresses) {
  Product product(2, 64, 64);
  const std::vector<float> expected = product.run({});
  const QuantizedRows rows = product.rows();
  std::vector<int8_t> moved(2 * 64 + 1);
  std::copy_n(rows.data, 128, moved.begin() + 1);
  QuantizedRows odd = rows;
  odd.data = moved.data() + 1;
  std::vector<float> y(128);
  gemm_i4(odd, product.w(), {}, matrix(y.data(), 2, 64), 0, 1);
  EXPECT_EQ(y, expected);
}

TEST_P(Int4, OnlyTheAskedPanelsAreWritten) {
  Product product(1, 200, 32);
  const std::vector<float> before(product.y().data, product.y().data + 200);
  gemm_i4(product.rows(), product.w(), {}, product.y(), 1, 2);
  for (int64_t n = 0; n < 200; ++n) {
    const bool same = product.y().data[n] == before[static_cast<size_t>(n)];
    EXPECT_EQ(same, n < 64 || n >= 128) << n;
  }
}

TEST_P(Int4, PackedBytesAreTheSameOnEveryProcessor) {
  std::vector<float> w = random_floats(70 * 65, 1.0f, 5);
  std::vector<float> importance = random_floats(65, 1.0f, 6);
  for (float& x : importance) x *= x;
  const auto pack = [&] {
    std::vector<std::byte> panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, 70, 65)),
                                  std::byte{0xaa});
    pack_weights_i4(matrix<const float>(w.data(), 70, 65), importance.data(), panels.data());
    return panels;
  };
  const std::vector<std::byte> here = pack();
  set_active_isa(Isa::kBase);
  EXPECT_EQ(here, pack());
}

// Root of the weighted mean squared error over that of the weights themselves, [n, k].
double relative_error(const std::vector<float>& w, int64_t k, const float* importance,
                      const std::vector<float>& weights) {
  const auto n = std::ssize(w) / k;
  AlignedBytes panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, n, k)));
  pack_weights_i4(matrix<const float>(w.data(), n, k), importance, panels.data());
  const PackedWeights packed = {WeightFormat::kI4, n, k, panels.data(), nullptr};
  double error = 0;
  double power = 0;
  for (int64_t i = 0; i < n * k; ++i) {
    const auto value = static_cast<double>(w[static_cast<size_t>(i)]);
    const auto weight = static_cast<double>(weights[static_cast<size_t>(i % k)]);
    const double off = static_cast<double>(unpacked_weight_i4(packed, i / k, i % k)) - value;
    error += weight * off * off;
    power += weight * value * value;
  }
  return std::sqrt(error / power);
}

TEST(Int4Packing, SearchedScalesBeatTheLargestOverSeven) {
  const std::vector<float> w = random_floats(64 * 256, 1.0f, 6);
  const std::vector<float> ones(256, 1.0f);
  const double searched = relative_error(w, 256, nullptr, ones);
  // Groups of 32 normal weights: max / 7 leaves 9.7 % (rms), max / -8 8.6 %, the search 8.1 %.
  EXPECT_LT(searched, 0.083);
  EXPECT_GT(searched, 0.05) << "four bits cannot do this";
}

TEST(Int4Packing, ImportantInputsAreKeptBetter) {
  const std::vector<float> w = random_floats(64 * 256, 1.0f, 7);
  std::vector<float> importance(256, 1.0f);
  for (size_t k = 0; k < importance.size(); k += 16) importance[k] = 100.0f;
  EXPECT_LT(relative_error(w, 256, importance.data(), importance),
            0.9 * relative_error(w, 256, nullptr, importance));
}

TEST(Int4Packing, SixteenEvenLevelsSurvive) {
  std::vector<float> w(64 * 32);
  for (size_t i = 0; i < w.size(); ++i) w[i] = (static_cast<float>(i % 16) - 8) * 0.5f;
  EXPECT_EQ(relative_error(w, 32, nullptr, std::vector<float>(32, 1.0f)), 0);
}

TEST(Int4Packing, ZerosStayZero) {
  const std::vector<float> w(64 * 40, 0.0f);
  AlignedBytes panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, 64, 40)));
  pack_weights_i4(matrix<const float>(w.data(), 64, 40), nullptr, panels.data());
  const PackedWeights packed = {WeightFormat::kI4, 64, 40, panels.data(), nullptr};
  for (int64_t i = 0; i < 64 * 40; ++i) ASSERT_EQ(unpacked_weight(packed, i / 40, i % 40), 0);
}

}  // namespace
}  // namespace quintet::kernels
