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

constexpr std::array<int64_t, 9> kRows = {1, 2, 3, 4, 5, 6, 7, 9, 16};
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
    // |x| <= 127 scales, |w| <= 8 of normal weights.
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

// More inputs than are unpacked at a time, more rows than are finished at a time.
TEST_P(Int4, EqualsTheReferenceBeyondTheScratch) {
  struct Shape {
    int64_t m, n, k;
  };
  for (const auto& [m, n, k] : {Shape{7, 70, 1030}, Shape{200, 65, 2048}, Shape{193, 130, 40}}) {
    SCOPED_TRACE("m " + std::to_string(m) + " k " + std::to_string(k));
    Product product(m, n, k);
    const Epilogue epilogue = {.bias = product.bias(), .residual = product.y().data};
    const std::vector<float> expected = product.reference(epilogue);
    const std::vector<float> y = product.run(epilogue);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], expected[i], product.tolerance(static_cast<int64_t>(i) / n)) << i;
    }
  }
}

// The largest codes and values there are, with scales of 1: all sums are integers below 2^24.
TEST_P(Int4, ExtremesAreExact) {
  constexpr int64_t kGroups = 3;
  for (const int64_t m : {1, 4, 6, 7}) {
    AlignedBytes panel(kGroups * kInt4BlockBytes);
    AlignedArray<int8_t> data(m * kGroups * kInt4Group);
    for (int64_t i = 0; i < data.size(); ++i) data[i] = i / 64 % 2 == 0 ? -127 : 127;
    for (int64_t g = 0; g < kGroups; ++g) {
      std::byte* block = panel.data() + g * kInt4BlockBytes;
      const bf16 one = bf16_from_f32(1);
      for (int64_t i = 0; i < 64; ++i) {
        std::memcpy(block + 2 * i, &one, sizeof one);
        block[128 + i] = static_cast<std::byte>((g + i) % 2 == 0 ? 135 : i);
      }
      for (int64_t i = 0; i < 1024; ++i) {
        block[192 + i] = static_cast<std::byte>(i / 4 % 3 == 0 ? 255 : i * 37);
      }
    }
    std::vector<float> scales(static_cast<size_t>(m), 1.0f);
    std::vector<int32_t> sums(static_cast<size_t>(m));
    std::vector<int32_t> group_sums(static_cast<size_t>(m * kGroups));
    for (int64_t i = 0; i < data.size(); ++i) {
      group_sums[static_cast<size_t>(i / kInt4Group)] += data[i];
    }
    const PackedWeights w = {WeightFormat::kI4, 64, kGroups * kInt4Group, panel.data(), nullptr};
    const QuantizedRows x = {data.data(), m, w.k, scales.data(), sums.data(), group_sums.data()};
    std::vector<float> y(static_cast<size_t>(m * 64));
    std::vector<float> expected(y.size());
    gemm_i4(x, w, {}, matrix(y.data(), m, int64_t{64}), 0, 1);
    gemm_i4_ref(x, w, {}, matrix(expected.data(), m, int64_t{64}));
    EXPECT_EQ(y, expected);
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
  constexpr int64_t kBatch = 200;
  Product product(kBatch, 130, 1344);
  const std::vector<float> batch = product.run({});
  for (int64_t height = 1; height <= 13; ++height) {
    for (int64_t i = 0; i + height <= kBatch; i += 37) {
      std::vector<float> few(static_cast<size_t>(height * 130));
      gemm_i4(product.rows().rows_from(i, height), product.w(), {},
              matrix(few.data(), height, int64_t{130}), 0, 3);
      EXPECT_EQ(std::memcmp(few.data(), batch.data() + i * 130, few.size() * sizeof(float)), 0)
          << height << " rows from " << i;
    }
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
  std::vector<Int4Grid> grids(70 * 3);
  for (size_t i = 0; i < grids.size(); i += 2) {
    grids[i] = {0.1f, -0.7f};
    const size_t first = i / 3 * 65 + i % 3 * 32;
    for (size_t k = first; k < std::min(first + 32, (i / 3 + 1) * 65); ++k) {
      w[k] = -0.7f + 0.1f * static_cast<float>(k % 16);
    }
  }
  const auto pack = [&] {
    std::vector<std::byte> panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, 70, 65)),
                                  std::byte{0xaa});
    pack_weights_i4(matrix<const float>(w.data(), 70, 65), importance.data(), panels.data(),
                    grids.data());
    return panels;
  };
  const std::vector<std::byte> here = pack();
  set_active_isa(Isa::kBase);
  EXPECT_EQ(here, pack());
}

// Root of the weighted mean squared error over that of the weights themselves, [n, k].
double relative_error(const std::vector<float>& w, int64_t k, const float* importance,
                      const std::vector<float>& weights, const Int4Grid* grids = nullptr) {
  const auto n = std::ssize(w) / k;
  AlignedBytes panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, n, k)));
  pack_weights_i4(matrix<const float>(w.data(), n, k), importance, panels.data(), grids);
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

double plain_error(const std::vector<float>& w, int64_t k, const Int4Grid* grids = nullptr) {
  return relative_error(w, k, nullptr, std::vector<float>(static_cast<size_t>(k), 1.0f), grids);
}

TEST(Int4Packing, SearchBeatsTheRange) {
  const double searched = plain_error(random_floats(64 * 256, 1.0f, 6), 256);
  // Groups of 32 normal weights: codes over the range leave 7.7 % (rms), symmetric ones, searched
  // for, 8.1 %, all 144 pairs of a grid 6.9 %.
  EXPECT_LT(searched, 0.0705);
  EXPECT_GT(searched, 0.05) << "four bits cannot do this";
}

TEST(Int4Packing, OneSidedWeightsUseAllCodes) {
  std::vector<float> w = random_floats(64 * 256, 1.0f, 6);
  for (float& x : w) x = std::fabs(x);
  // Half the range is half the step.
  EXPECT_LT(plain_error(w, 256), 0.045);
}

TEST(Int4Packing, ImportantInputsAreKeptBetter) {
  const std::vector<float> w = random_floats(64 * 256, 1.0f, 7);
  std::vector<float> importance(256, 1.0f);
  for (size_t k = 0; k < importance.size(); k += 16) importance[k] = 100.0f;
  EXPECT_LT(relative_error(w, 256, importance.data(), importance),
            0.9 * relative_error(w, 256, nullptr, importance));
}

TEST(Int4Packing, UnusedInputsCountAsEqual) {
  const std::vector<float> w = random_floats(64 * 64, 1.0f, 7);
  const std::vector<float> none(64, 0.0f);
  EXPECT_EQ(relative_error(w, 64, none.data(), std::vector<float>(64, 1.0f)), plain_error(w, 64));
}

TEST(Int4Packing, SixteenEvenLevelsSurvive) {
  for (const float lowest : {-16.0f, -8.0f, -3.5f, 0.0f}) {
    std::vector<float> w(64 * 32);
    for (size_t i = 0; i < w.size(); ++i) w[i] = (static_cast<float>(i % 16) + lowest) * 0.5f;
    EXPECT_EQ(plain_error(w, 32), 0) << lowest;
  }
}

TEST(Int4Packing, ConstantsAndZerosSurvive) {
  for (const float value : {0.0f, 0.75f, -0.75f, 1e-20f}) {
    const std::vector<float> w(64 * 40, value);
    AlignedBytes panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, 64, 40)));
    pack_weights_i4(matrix<const float>(w.data(), 64, 40), nullptr, panels.data());
    const PackedWeights packed = {WeightFormat::kI4, 64, 40, panels.data(), nullptr};
    for (int64_t i = 0; i < 64 * 40; ++i) {
      // bfloat16 has 8 bits.
      ASSERT_NEAR(unpacked_weight(packed, i / 40, i % 40), value, std::fabs(value) * 0x1p-8f);
    }
  }
}

// Codes that were stored before, in every way of GGUF: symmetric, also with a falling grid, and
// with a minimum.
TEST(Int4Packing, CodesOnAGridAreKept) {
  constexpr int64_t k = 128;
  std::vector<float> w(64 * k);
  std::vector<Int4Grid> grids(64 * k / 32);
  for (size_t i = 0; i < grids.size(); ++i) {
    const float step = 0.01f + 0.0003f * static_cast<float>(i % 50);
    grids[i] = i % 3 == 0   ? Int4Grid{step, -8 * step}
               : i % 3 == 1 ? Int4Grid{-step, 8 * step}
                            : Int4Grid{step, -0.6f * static_cast<float>(i % 17) * step};
    for (size_t j = 0; j < 32; ++j) {
      // Few codes in use: nothing but the grid tells their step.
      w[32 * i + j] = grids[i].minimum + grids[i].step * static_cast<float>(3 + (i + 7 * j) % 9);
    }
  }
  AlignedBytes panels(static_cast<size_t>(packed_bytes(WeightFormat::kI4, 64, k)));
  pack_weights_i4(matrix<const float>(w.data(), 64, k), nullptr, panels.data(), grids.data());
  const PackedWeights packed = {WeightFormat::kI4, 64, k, panels.data(), nullptr};
  for (int64_t i = 0; i < 64 * k; ++i) {
    const float step = std::fabs(grids[static_cast<size_t>(i / 32)].step);
    // Half an eighth of a step for the zero, 2^-9 of 15 steps for the scale.
    ASSERT_NEAR(unpacked_weight(packed, i / k, i % k), w[static_cast<size_t>(i)], 0.1f * step) << i;
  }
}

TEST(Int4Packing, AGridThatDoesNotFitIsNoWorseThanNone) {
  const std::vector<float> w = random_floats(64 * 64, 1.0f, 8);
  const std::vector<Int4Grid> grids(64 * 2, Int4Grid{0.25f, 3.0f});
  EXPECT_LE(plain_error(w, 64, grids.data()), plain_error(w, 64) * 1.0001);
}

}  // namespace
}  // namespace quintet::kernels
