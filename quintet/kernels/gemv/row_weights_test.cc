#include "quintet/kernels/gemv/row_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(RowWeightsKernel);

// The same random weights and rows in both layouts.
class Product {
 public:
  Product(int64_t m, int64_t n, int64_t k)
      : depth_(padded_depth(WeightFormat::kI8, k)),
        w_(random_floats(n * k, 1.0f, 1)),
        rows_(n * row_weight_stride(k)),
        row_scales_(n),
        panels_(static_cast<size_t>(packed_bytes(WeightFormat::kI8, n, k))),
        panel_scales_(panel_count(n) * kPanelWidth),
        x_(m * depth_),
        x_scales_(m),
        x_sums_(m) {
    const auto view = matrix<const float>(w_.data(), n, k);
    pack_row_weights(view, rows_.data(), row_scales_.data());
    pack_weights(WeightFormat::kI8, view, panels_.data(), panel_scales_.data());
    weights = {n, k, rows_.data(), row_scales_.data()};
    x = {x_.data(), m, depth_, x_scales_.data(), x_sums_.data()};
    const std::vector<float> values = random_floats(m * k, 1.0f, 2);
    quantize_rows(matrix<const float>(values.data(), m, k), x);
  }

  std::vector<float> expected() const {
    std::vector<float> y(static_cast<size_t>(x.rows * weights.n));
    const PackedWeights packed = {WeightFormat::kI8, weights.n, weights.k, panels_.data(),
                                  panel_scales_.data()};
    gemm_i8(x, packed, {}, matrix(y.data(), x.rows, weights.n), 0, panel_count(weights.n));
    return y;
  }
  const std::vector<float>& published() const { return w_; }

  RowWeights weights;
  QuantizedRows x;

 private:
  int64_t depth_;
  std::vector<float> w_;
  GuardedArray<std::byte> rows_;
  GuardedArray<float> row_scales_;
  AlignedBytes panels_;
  AlignedArray<float> panel_scales_;
  GuardedArray<int8_t> x_;
  GuardedArray<float> x_scales_;
  GuardedArray<int32_t> x_sums_;
};

TEST_P(RowWeightsKernel, GiveTheBitsOfPanels) {
  for (const int64_t k : {1, 3, 15, 16, 17, 63, 64, 65, 127, 128, 129, 512}) {
    for (const int64_t m : {1, 3}) {
      SCOPED_TRACE("k " + std::to_string(k) + " m " + std::to_string(m));
      constexpr int64_t kN = 70;
      const Product product(m, kN, k);
      const std::vector<float> expected = product.expected();
      std::vector<float> all(expected.size());
      multiply_all_rows(product.x, product.weights, matrix(all.data(), m, kN), 0, kN);
      EXPECT_EQ(all, expected);
      const std::vector<int32_t> ids = {69, 0, 5, 5, 33, 1, 2};
      std::vector<float> picked(ids.size());
      multiply_rows(product.x.rows_from(m - 1, 1), product.weights, ids, picked);
      for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(picked[i], expected[static_cast<size_t>((m - 1) * kN + ids[i])]) << i;
      }
    }
  }
}

TEST_P(RowWeightsKernel, WritesOnlyTheAskedColumns) {
  const Product product(2, 20, 32);
  std::vector<float> y(40, 7.0f);
  multiply_all_rows(product.x, product.weights, matrix(y.data(), 2, 20), 3, 9);
  const std::vector<float> expected = product.expected();
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(y[i], i % 20 >= 3 && i % 20 < 9 ? expected[i] : 7.0f) << i;
  }
}

TEST(RowWeights, UnpackedRowsAreWithinHalfAStep) {
  const Product product(1, 9, 100);
  std::vector<float> row(100);
  for (int64_t n = 0; n < 9; ++n) {
    unpack_row(product.weights, n, row.data());
    for (int64_t k = 0; k < 100; ++k) {
      const auto at = static_cast<size_t>(k);
      EXPECT_NEAR(row[at], product.published()[static_cast<size_t>(n * 100 + k)],
                  product.weights.scales[n] * 0.501f);
    }
  }
}

}  // namespace
}  // namespace quintet::kernels
