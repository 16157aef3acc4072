#include "quintet/engine/nn/weight_formats.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "quintet/core/aligned.h"

namespace quintet::nn {
namespace {

using kernels::WeightFormat;

constexpr std::array kFormats = {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kI8,
                                 WeightFormat::kI4};

TEST(WeightFormats, HaveNamesThatLeadBackToThem) {
  for (const WeightFormat format : kFormats) {
    EXPECT_EQ(weight_format_from_name(weight_format_name(format)), format);
  }
  EXPECT_EQ(weight_format_from_name("int3"), std::nullopt);
  EXPECT_EQ(weight_format_from_name(""), std::nullopt);
}

// Panels packed one by one into tensors of the declared sizes are the matrix again: exact in
// float32, within 2^-8 of a value in bfloat16, within half a step of max|row| / 127 in int8, within
// a step of max|row| / 7 in int4, whose scales are searched for and rounded.
TEST(WeightFormats, StoredTensorsHoldTheWholeMatrix) {
  constexpr int64_t n = 70;
  constexpr int64_t k = 9;
  std::vector<float> w(n * k);
  for (size_t i = 0; i < w.size(); ++i) w[i] = std::sin(static_cast<float>(i)) + 0.01f;
  for (const WeightFormat format : kFormats) {
    std::vector<AlignedBytes> memory;
    std::vector<std::byte*> places;
    for (const StoredTensor& tensor : stored_tensors("m", format, n, k)) {
      EXPECT_TRUE(tensor.name.starts_with("m.")) << tensor.name;
      memory.emplace_back(static_cast<size_t>(tensor.bytes()));
      places.push_back(memory.back().data());
    }
    for (int64_t panel = 0; panel < kernels::panel_count(n); ++panel) {
      const int64_t first = panel * kernels::kPanelWidth;
      pack_panel(format, panel,
                 {w.data() + first * k, std::min(kernels::kPanelWidth, n - first), k, k}, {},
                 places);
    }
    const std::vector<const std::byte*> data(places.begin(), places.end());
    const kernels::PackedWeights packed = stored_weights(format, n, k, data);
    EXPECT_EQ(packed.format, format);
    for (int64_t i = 0; i < n; ++i) {
      float top = 0;
      for (int64_t j = 0; j < k; ++j) top = std::max(top, std::abs(w[i * k + j]));
      for (int64_t j = 0; j < k; ++j) {
        const float x = w[i * k + j];
        const float tolerance = format == WeightFormat::kF32    ? 0
                                : format == WeightFormat::kBF16 ? std::abs(x) / 256
                                : format == WeightFormat::kI8   ? top / 127 * 0.501f
                                                                : top / 7;
        EXPECT_NEAR(kernels::unpacked_weight(packed, i, j), x, tolerance);
      }
    }
  }
}

}  // namespace
}  // namespace quintet::nn
