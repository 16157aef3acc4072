#include "quintet/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/gemm/gemm_ref.h"
#include "quintet/kernels/gemm/level_test.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

constexpr std::array kFormats = {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kI8};
constexpr std::array kFormatNames = {"f32", "bf16", "i8"};
constexpr std::array<int64_t, 7> kRows = {1, 2, 5, 6, 7, 12, 13};
constexpr std::array<int64_t, 6> kChannels = {1, 63, 64, 65, 128, 200};
constexpr std::array<int64_t, 10> kDepths = {1, 2, 3, 4, 5, 63, 64, 65, 240, 513};

using Draw = std::function<float(std::mt19937&)>;

float uniform(std::mt19937& random) { return std::uniform_real_distribution<float>(-1, 1)(random); }

// Exact in every format, sums included.
float small_integer(std::mt19937& random) {
  return static_cast<float>(std::uniform_int_distribution<int>(-3, 3)(random));
}

// A product with all its operands, each of which ends at a page that must not be touched.
class Product {
 public:
  Product(WeightFormat format, int64_t m, int64_t n, int64_t k, const Draw& draw,
          bool exact_int8 = false)
      : format_(format),
        m_(m),
        depth_(padded_depth(format, k)),
        x_(m * k),
        x16_(m * padded_depth(WeightFormat::kBF16, k)),
        x8_(m * padded_depth(WeightFormat::kI8, k)),
        x_scales_(m),
        x_sums_(m),
        panels_(packed_bytes(format, n, k)),
        scales_(panel_count(n) * kPanelWidth),
        bias_(n),
        y_(m * n),
        expected_(static_cast<size_t>(m * n)) {
    std::mt19937 random(static_cast<unsigned>(m * 7919 + n * 31 + k));
    std::vector<float> w(static_cast<size_t>(n * k));
    for (float& v : w) v = draw(random);
    for (float& v : x_) v = draw(random);
    for (float& v : bias_) v = draw(random);
    for (float& v : y_) v = draw(random);
    if (exact_int8) {
      // Rows that reach 127 have scale 1, and integers survive the quantisation.
      for (int64_t row = 0; row < n; ++row) w[static_cast<size_t>(row * k)] = 127;
      for (int64_t row = 0; row < m; ++row) x_[row * k] = -127;
    }
    pack_weights(format, matrix<const float>(w.data(), n, k), panels_.data(), scales_.data());
    w_ = {format, n, k, panels_.data(), scales_.data()};
    if (format == WeightFormat::kBF16) convert_rows(x(), {x16_.data(), m, k, depth_});
    if (format == WeightFormat::kI8) quantize_rows(x(), x8());
  }

  MatrixView<const float> x() { return matrix<const float>(x_.data(), m_, w_.k); }
  MatrixView<const bf16> x16() { return {x16_.data(), m_, w_.k, depth_}; }
  QuantizedRows x8() { return {x8_.data(), m_, depth_, x_scales_.data(), x_sums_.data()}; }
  MatrixView<float> y() { return matrix(y_.data(), m_, w_.n); }
  const PackedWeights& w() const { return w_; }
  const float* bias() { return bias_.data(); }
  const std::vector<float>& expected() const { return expected_; }

  void run(const Epilogue& epilogue) { run_rows(0, m_, epilogue, y()); }

  // Rows [first, first + count) of x into the rows of `out`.
  void run_rows(int64_t first, int64_t count, const Epilogue& epilogue, MatrixView<float> out) {
    const int64_t panels = panel_count(w_.n);
    switch (format_) {
      case WeightFormat::kF32:
        return gemm_f32(x().rows_from(first, count), w_, epilogue, out, 0, panels);
      case WeightFormat::kBF16:
        return gemm_bf16(x16().rows_from(first, count), w_, epilogue, out, 0, panels);
      case WeightFormat::kI8:
        return gemm_i8(x8().rows_from(first, count), w_, epilogue, out, 0, panels);
      case WeightFormat::kI4: break;  // int4_test.cc
    }
  }

  // The same into expected(), which starts out as a copy of y: a residual that is y is there too.
  void run_reference(Epilogue epilogue) {
    std::copy(y_.begin(), y_.end(), expected_.begin());
    if (epilogue.residual == y_.data()) epilogue.residual = expected_.data();
    const auto out = matrix(expected_.data(), m_, w_.n);
    switch (format_) {
      case WeightFormat::kF32: return gemm_f32_ref(x(), w_, epilogue, out);
      case WeightFormat::kBF16: return gemm_bf16_ref(x16(), w_, epilogue, out);
      case WeightFormat::kI8: return gemm_i8_ref(x8(), w_, epilogue, out);
      case WeightFormat::kI4: break;
    }
  }

  // Of a sum of k products of values up to `magnitude`: k + 1 roundings, each of at most half a
  // unit of the largest partial sum (vdpbf16ps truncates nothing, but rounds twice a pair). int8
  // rounds exactly as the reference does.
  float tolerance(float magnitude) const {
    if (format_ == WeightFormat::kI8) return 0;
    const auto k = static_cast<float>(w_.k);
    return (k + 1) * 0x1p-23f * k * magnitude * magnitude;
  }

 private:
  WeightFormat format_;
  int64_t m_;
  int64_t depth_;
  GuardedArray<float> x_;
  GuardedArray<bf16> x16_;
  GuardedArray<int8_t> x8_;
  GuardedArray<float> x_scales_;
  GuardedArray<int32_t> x_sums_;
  GuardedArray<std::byte> panels_;
  GuardedArray<float> scales_;
  PackedWeights w_;
  GuardedArray<float> bias_;
  GuardedArray<float> y_;
  std::vector<float> expected_;
};

using Level = std::tuple<Isa, WeightFormat>;

class Gemm : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (!cpu_supports(isa())) GTEST_SKIP() << "this processor lacks " << isa_name(isa());
    level_.emplace(isa());
  }
  void TearDown() override { level_.reset(); }

  static Isa isa() { return std::get<0>(GetParam()); }
  static WeightFormat format() { return std::get<1>(GetParam()); }

  // Compares y with the reference at every size around the edges of tiles, panels and groups.
  static void check_all_sizes(const Draw& draw, bool exact) {
    for (const int64_t m : kRows) {
      for (const int64_t n : kChannels) {
        for (const int64_t k : kDepths) {
          Product p(format(), m, n, k, draw, exact);
          p.run_reference({});
          p.run({});
          const float tolerance = exact ? 0 : p.tolerance(1);
          for (int64_t i = 0; i < m * n; ++i) {
            ASSERT_NEAR(p.y().data[i], p.expected()[static_cast<size_t>(i)], tolerance)
                << "M " << m << " N " << n << " K " << k << " at " << i;
          }
        }
      }
    }
  }

 private:
  std::optional<ForcedLevel> level_;
};

std::string format_name(const testing::TestParamInfo<Level>& level) {
  return std::string(isa_name(std::get<0>(level.param))) + "_" +
         kFormatNames[static_cast<size_t>(std::get<1>(level.param))];
}

INSTANTIATE_TEST_SUITE_P(Levels, Gemm,
                         testing::Combine(testing::ValuesIn(kAllIsas), testing::ValuesIn(kFormats)),
                         format_name);

class GemmLevel : public LevelTest {};

INSTANTIATE_TEST_SUITE_P(Levels, GemmLevel, testing::ValuesIn(kAllIsas), level_name);

TEST_P(Gemm, EqualsReferenceExactlyOnSmallIntegers) { check_all_sizes(small_integer, true); }

TEST_P(Gemm, ErrorOnRandomValuesStaysWithinTheBoundOfTheSum) { check_all_sizes(uniform, false); }

TEST_P(Gemm, RowGivesTheSameBitsAloneAndInABatch) {
  for (const int64_t m : {2, 3, 4, 5, 6, 7, 13}) {
    for (const int64_t n : {64, 200}) {
      Product p(format(), m, n, 513, uniform);
      const Epilogue epilogue = {.bias = p.bias(), .gelu = true};
      p.run(epilogue);
      std::vector<float> alone(static_cast<size_t>(n));
      for (int64_t i = 0; i < m; ++i) {
        p.run_rows(i, 1, epilogue, matrix(alone.data(), 1, n));
        for (int64_t c = 0; c < n; ++c) {
          ASSERT_EQ(alone[static_cast<size_t>(c)], p.y().row(i)[c]) << m << " " << i << " " << c;
        }
      }
    }
  }
}

TEST_P(Gemm, EpilogueAddsBiasThenGeluThenResidual) {
  for (const int64_t m : {1, 2, 6, 13}) {
    for (const int64_t n : {1, 7, 64, 65, 135}) {
      for (int choice = 0; choice < 8; ++choice) {
        Product p(format(), m, n, 24, uniform);
        // The residual is y itself: each value has to be read before it is overwritten.
        const Epilogue epilogue = {.bias = (choice & 1) != 0 ? p.bias() : nullptr,
                                   .gelu = (choice & 2) != 0,
                                   .residual = (choice & 4) != 0 ? p.y().data : nullptr};
        p.run_reference(epilogue);
        p.run(epilogue);
        // GELU has a slope of at most 1.13 and an error of 1e-6 of values up to 25.
        const float tolerance = 2 * p.tolerance(1) + (epilogue.gelu ? 3e-5f : 0.0f);
        for (int64_t i = 0; i < m * n; ++i) {
          ASSERT_NEAR(p.y().data[i], p.expected()[static_cast<size_t>(i)], tolerance)
              << "M " << m << " N " << n << " epilogue " << choice << " at " << i;
        }
      }
    }
  }
}

TEST_P(Gemm, WritesTheGivenPanelsAndNothingElse) {
  constexpr int64_t kN = 200;
  constexpr int64_t kStride = 211;
  for (const int64_t m : {1, 7}) {
    for (int64_t first = 0; first < 4; ++first) {
      for (int64_t last = first; last <= 4; ++last) {
        Product p(format(), m, kN, 33, uniform);
        p.run({});
        std::vector<float> wide(static_cast<size_t>(m * kStride), 1234.5f);
        const MatrixView<float> y = {wide.data(), m, kN, kStride};
        switch (format()) {
          case WeightFormat::kF32: gemm_f32(p.x(), p.w(), {}, y, first, last); break;
          case WeightFormat::kBF16: gemm_bf16(p.x16(), p.w(), {}, y, first, last); break;
          case WeightFormat::kI8: gemm_i8(p.x8(), p.w(), {}, y, first, last); break;
          case WeightFormat::kI4: break;
        }
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t c = 0; c < kStride; ++c) {
            const bool inside = c < kN && c >= first * kPanelWidth && c < last * kPanelWidth;
            ASSERT_EQ(y.row(i)[c], inside ? p.y().row(i)[c] : 1234.5f) << i << " " << c;
          }
        }
      }
    }
  }
}

TEST_P(Gemm, ForcedLevelRunsItsOwnKernels) {
  const std::string name(internal::gemm_kernels(format(), active_isa()).name);
  std::string isa_of_kernel(isa_name(isa()));
  // A level without its own instruction for the format runs the kernels of the one below.
  if (isa() == Isa::kAvxVnni && format() != WeightFormat::kI8) isa_of_kernel = "avx2";
  if (isa() == Isa::kAvx512Bf16 && format() != WeightFormat::kBF16) isa_of_kernel = "avx512";
  const std::string expected =
      std::string(kFormatNames[static_cast<size_t>(format())]) + " " + isa_of_kernel;
  const bool slow_vdpbf16ps = expected == "bf16 avx512_bf16" && name == "bf16 avx512";
  EXPECT_TRUE(name == expected || slow_vdpbf16ps) << name << " instead of " << expected;
}

TEST_P(GemmLevel, OverlappingRowsAreReadAsWindows) {
  constexpr int64_t kK = 24;
  constexpr int64_t kStride = 8;
  for (const int64_t m : {1, 6, 13}) {
    // One float in front shifts every row off the boundaries of vectors.
    GuardedArray<float> line(1 + (m - 1) * kStride + kK);
    std::mt19937 random(3);
    for (float& v : line) v = small_integer(random);
    const MatrixView<const float> x = {line.data() + 1, m, kK, kStride};
    Product p(WeightFormat::kF32, m, 70, kK, small_integer);
    std::vector<float> expected(static_cast<size_t>(m * 70));
    gemm_f32_ref(x, p.w(), {}, matrix(expected.data(), m, 70));
    gemm_f32(x, p.w(), {}, p.y(), 0, 2);
    for (int64_t i = 0; i < m * 70; ++i) {
      ASSERT_EQ(p.y().data[i], expected[static_cast<size_t>(i)]) << m << " " << i;
    }
  }
}

TEST_P(GemmLevel, ExtremeInt8ValuesNeitherSaturateNorOverflow) {
  constexpr WeightFormat kFormat = WeightFormat::kI8;
  constexpr int64_t kK = 65536;
  for (const float sign : {1.0f, -1.0f}) {
    for (const int64_t m : {1, 6}) {
      // Stored weights are 255 (or 1) and activations 127 throughout.
      const std::vector<float> w(static_cast<size_t>(kK), sign);
      std::vector<float> x(static_cast<size_t>(m * kK), 1.0f);
      AlignedBytes panels(static_cast<size_t>(packed_bytes(kFormat, 1, kK)));
      AlignedArray<float> scales(kPanelWidth);
      pack_weights(kFormat, matrix(w.data(), 1, kK), panels.data(), scales.data());
      AlignedArray<int8_t> data(m * kK);
      AlignedArray<float> x_scales(m);
      AlignedArray<int32_t> sums(m);
      const QuantizedRows q = {data.data(), m, kK, x_scales.data(), sums.data()};
      quantize_rows(matrix<const float>(x.data(), m, kK), q);
      std::vector<float> y(static_cast<size_t>(m));
      const PackedWeights packed = {kFormat, 1, kK, panels.data(), scales.data()};
      gemm_i8(q, packed, {}, matrix(y.data(), m, 1), 0, 1);
      for (const float v : y) EXPECT_NEAR(v, sign * static_cast<float>(kK), 0.05f);
    }
  }
}

// The one table that no level may choose on this processor.
TEST(GemmVdpbf16ps, TilesEqualReferenceExactlyOnSmallIntegers) {
  if (!cpu_supports(Isa::kAvx512Bf16)) GTEST_SKIP() << "this processor lacks avx512_bf16";
#if defined(__x86_64__)
  const internal::GemmKernels& kernels = internal::gemm_kernels_vdpbf16ps();
  for (const int64_t k : kDepths) {
    Product p(WeightFormat::kBF16, internal::kTileRows, 128, k, small_integer);
    p.run_reference({});
    const int64_t panel = panel_bytes(WeightFormat::kBF16, k);
    const int64_t groups = panel / kPanelLineBytes;
    internal::Tile tile;
    const auto* sums = static_cast<const float*>(tile.row(0));
    for (int64_t rows = 1; rows <= internal::kTileRows; ++rows) {
      kernels.tile[static_cast<size_t>(rows - 1)](p.x16().data, p.x16().stride * 2, p.w().panels,
                                                  groups, tile.row(0));
      for (int64_t i = 0; i < rows * kPanelWidth; ++i) {
        const int64_t at = i / kPanelWidth * 128 + i % kPanelWidth;
        ASSERT_EQ(sums[i], p.expected()[static_cast<size_t>(at)]) << rows << " " << k << " " << i;
      }
    }
    kernels.pair(p.x16().data, panel, p.w().panels, groups, tile.row(0));
    for (int64_t i = 0; i < 128; ++i) ASSERT_EQ(sums[i], p.expected()[static_cast<size_t>(i)]);
  }
#endif
}

}  // namespace
}  // namespace quintet::kernels
