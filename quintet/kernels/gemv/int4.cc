#include "quintet/kernels/gemv/int4.h"

#include <algorithm>
#include <cstring>

#include "quintet/core/check.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/gemv/int4_kernels.h"

namespace quintet::kernels {
namespace internal {
namespace {

// bfloat16 bits to float.
float scale_at(const std::byte* block, int64_t channel) {
  bf16 scale{};
  std::memcpy(&scale, block + int4_scale_offset(channel), sizeof scale);
  return bf16_to_f32(scale);
}

template <int kRows>
void tile_base(const Int4Rows& x, const std::byte* panel, int64_t groups, float* tile) {
  std::fill_n(tile, kRows * kPanelWidth, 0.0f);
  for (int64_t g = 0; g < groups; ++g) {
    const std::byte* block = panel + g * kInt4BlockBytes;
    for (int64_t channel = 0; channel < kPanelWidth; ++channel) {
      const std::byte* bytes = block + kInt4ScaleBytes + channel * 4;
      const float scale = scale_at(block, channel);
      for (int64_t r = 0; r < kRows; ++r) {
        const int8_t* row = x.x + r * x.stride + g * kInt4Group;
        int32_t sum = -8 * x.group_sums[r * x.group_stride + g];
        for (int64_t i = 0; i < kInt4Lines * 4; ++i) {
          const int w = std::to_integer<int>(bytes[i / 4 * kPanelLineBytes + i % 4]);
          const int8_t* pair = row + i / 4 * 8 + i % 4;
          sum += (w & 15) * pair[0] + (w >> 4) * pair[4];
        }
        tile[r * kPanelWidth + channel] += static_cast<float>(sum) * scale;
      }
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < kPanelWidth; ++c) tile[r * kPanelWidth + c] *= x.scales[r];
  }
}

}  // namespace

const Int4Kernels& int4_kernels_base() {
  static constexpr Int4Kernels kKernels = {
      "i4 base", {tile_base<1>, tile_base<2>, tile_base<3>, tile_base<4>}};
  return kKernels;
}

const Int4Kernels& int4_kernels(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kBase: break;
    case Isa::kAvx2: return int4_kernels_avx2();
    case Isa::kAvxVnni: return int4_kernels_avx_vnni();
    case Isa::kAvx512:
    case Isa::kAvx512Bf16: return int4_kernels_avx512();
  }
#else
  static_cast<void>(isa);
#endif
  return int4_kernels_base();
}

}  // namespace internal

void gemm_i4(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel) {
  using internal::kInt4TileRows;
  QT_DCHECK(w.format == WeightFormat::kI4 && w.k > 0 && w.k <= 65536);
  QT_DCHECK(x.group_sums != nullptr && x.stride >= padded_depth(w.format, w.k));
  QT_DCHECK(first_panel >= 0 && last_panel <= panel_count(w.n));
  const internal::Int4Kernels& kernels = internal::int4_kernels(active_isa());
  const auto finish = internal::gemm_kernels(WeightFormat::kF32, active_isa()).finish;
  const int64_t groups = padded_depth(w.format, w.k) / kInt4Group;
  const int64_t strips = (x.rows + kInt4TileRows - 1) / kInt4TileRows;
  alignas(64) std::array<float, kInt4TileRows * kPanelWidth> tile;
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    const int64_t column = panel * kPanelWidth;
    int64_t row = 0;
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int64_t height = (x.rows - row + strips - strip - 1) / (strips - strip);
      const QuantizedRows rows = x.rows_from(row, height);
      kernels.tile[static_cast<size_t>(height - 1)](
          {rows.data, rows.stride, rows.group_sums, rows.group_stride(), rows.scales},
          w.panel(panel), groups, tile.data());
      const float* residual = epilogue.residual;
      finish(tile.data(), height,
             {.y = y.row(row) + column,
              .y_stride = y.stride,
              .columns = std::min(kPanelWidth, w.n - column),
              .bias = epilogue.bias != nullptr ? epilogue.bias + column : nullptr,
              .residual = residual != nullptr ? residual + row * y.stride + column : nullptr,
              .gelu = epilogue.gelu,
              .x_scales = nullptr,
              .x_row_sums = nullptr,
              .w_scales = nullptr});
      row += height;
    }
  }
}

}  // namespace quintet::kernels
