#include "quintet/kernels/gemv/int4.h"

#include <algorithm>
#include <cstring>
#include <limits>

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

int32_t offset_at(const std::byte* block, int64_t channel) {
  return std::to_integer<int32_t>(block[int4_zero_offset(channel)]) - 128;
}

template <int kRows>
void direct_base(const Int4Rows& x, const std::byte* panel, int64_t groups, float* tile) {
  std::fill_n(tile, kRows * kPanelWidth, 0.0f);
  for (int64_t g = 0; g < groups; ++g) {
    const std::byte* block = panel + g * kInt4BlockBytes;
    for (int64_t channel = 0; channel < kPanelWidth; ++channel) {
      const std::byte* bytes = block + kInt4LinesAt + channel * 4;
      const float scale = scale_at(block, channel);
      const int32_t offset = offset_at(block, channel);
      for (int64_t r = 0; r < kRows; ++r) {
        const int8_t* row = x.x + r * x.stride + g * kInt4Group;
        int32_t sum = 0;
        for (int64_t i = 0; i < kInt4Lines * 4; ++i) {
          const int w = std::to_integer<int>(bytes[i / 4 * kPanelLineBytes + i % 4]);
          const int8_t* pair = row + i / 4 * 8 + i % 4;
          sum += (w & 15) * pair[0] + (w >> 4) * pair[4];
        }
        const int32_t exact = 8 * sum + offset * x.group_sums[r * x.group_stride + g];
        tile[r * kPanelWidth + channel] += static_cast<float>(exact) * scale;
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
      .name = "i4 base",
      .direct = {direct_base<1>, direct_base<2>, direct_base<3>, direct_base<4>},
      .direct_rows = std::numeric_limits<int64_t>::max(),
      .unpack = nullptr,
      .part_channels = 0,
      .part_group_bytes = 0,
      .part_rows = 0,
      .part = {}};
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

namespace {

using internal::int4_kernels;
using internal::Int4Kernels;
using internal::Int4Part;
using internal::Int4Rows;
using internal::kInt4DirectRows;

// One product: what the two ways through it share.
struct Product {
  const QuantizedRows& x;
  const PackedWeights& w;
  const Epilogue& epilogue;
  MatrixView<float> y;
  internal::FinishFn finish_f32;
  int64_t groups;

  Int4Rows rows(int64_t first, int64_t group) const {
    return {x.data + first * x.stride + group * kInt4Group, x.stride,
            x.group_sums + first * x.group_stride() + group, x.group_stride(), x.scales + first};
  }

  // Bias, GELU and residual of `rows` rows from `row` and the panel's columns from `column`.
  void finish(float* tile, int64_t row, int64_t rows, int64_t column) const {
    const float* residual = epilogue.residual;
    finish_f32(tile, rows,
               {.y = y.row(row) + column,
                .y_stride = y.stride,
                .columns = std::min(kPanelWidth, w.n - column),
                .bias = epilogue.bias != nullptr ? epilogue.bias + column : nullptr,
                .residual = residual != nullptr ? residual + row * y.stride + column : nullptr,
                .gelu = epilogue.gelu,
                .x_scales = nullptr,
                .x_row_sums = nullptr,
                .w_scales = nullptr});
  }
};

// Of `total` rows from `row` on, as many as make strips of at most `most` nearly equal.
int64_t strip_height(int64_t row, int64_t total, int64_t most) {
  const int64_t strips = (total - row + most - 1) / most;
  return (total - row + strips - 1) / strips;
}

// Each strip of rows against the panels as they lie in memory.
void run_direct(const Int4Kernels& kernels, const Product& product, int64_t first_panel,
                int64_t last_panel) {
  alignas(64) std::array<float, kInt4DirectRows * kPanelWidth> tile;
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    for (int64_t row = 0; row < product.x.rows;) {
      const int64_t height = strip_height(row, product.x.rows, kInt4DirectRows);
      kernels.direct[static_cast<size_t>(height - 1)](product.rows(row, 0), product.w.panel(panel),
                                                      product.groups, tile.data());
      product.finish(tile.data(), row, height, panel * kPanelWidth);
      row += height;
    }
  }
}

// Blocks of rows against chunks of panels, which stay in the second-level cache while the rows pass
// them. Meanwhile the chunk after it is fetched.
class Blocked {
 public:
  Blocked(const Int4Kernels& kernels, const Product& product)
      : kernels_(kernels), product_(product) {}

  void run(int64_t first_panel, int64_t last_panel) {
    const int64_t chunks = (product_.groups + kChunkGroups - 1) / kChunkGroups;
    end_ = product_.w.panel(last_panel);
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      for (int64_t row = 0; row < product_.x.rows; row += kBlockRows) {
        const int64_t rows = std::min(kBlockRows, product_.x.rows - row);
        for (int64_t c = 0; c < chunks; ++c) {
          const Chunk chunk = {panel, product_.groups * c / chunks,
                               product_.groups * (c + 1) / chunks};
          if (chunks > 1 || row == 0) take(chunk);
          multiply(chunk, row, rows);
        }
      }
    }
  }

 private:
  // 32 groups of 64 channels are 38 KiB of weights, or 80 as bytes; a block of rows has sums of 48.
  static constexpr int64_t kChunkGroups = 32;
  static constexpr int64_t kBlockRows = 192;
  static constexpr int64_t kMostGroupBytes = 2560;  // Of all parts.

  struct Chunk {
    int64_t panel;
    int64_t first;  // Groups.
    int64_t last;

    int64_t groups() const { return last - first; }
  };

  void take(const Chunk& chunk) {
    const int64_t bytes = chunk.groups() * kInt4BlockBytes;
    lines_ = product_.w.panel(chunk.panel) + chunk.first * kInt4BlockBytes;
    ahead_ = lines_ + bytes;
    ahead_end_ = std::min(end_, ahead_ + bytes);
    if (kernels_.unpack == nullptr) return;
    kernels_.unpack(lines_, chunk.groups(), scratch_.data());
    lines_ = scratch_.data();
  }

  void multiply(const Chunk& chunk, int64_t row, int64_t rows) {
    const int64_t parts = kPanelWidth / kernels_.part_channels;
    const int64_t strips = (rows + kernels_.part_rows - 1) / kernels_.part_rows;
    // Of the next chunk, while a tile is at one group of this one.
    const int64_t step = (kInt4BlockBytes / (parts * strips) + 63) / 64 * 64;
    const bool finish = chunk.last == product_.groups;
    const int64_t column = chunk.panel * kPanelWidth;
    for (int64_t r = 0; r < rows;) {
      const int64_t height = strip_height(r, rows, kernels_.part_rows);
      // Sums that need not wait for another chunk stay in the first-level cache.
      float* tile = tiles_.data() + (chunk.groups() < product_.groups ? r * kPanelWidth : 0);
      for (int64_t part = 0; part < parts; ++part) {
        if (column + part * kernels_.part_channels >= product_.w.n) break;
        const bool fetch = ahead_ < ahead_end_;
        kernels_.part[static_cast<size_t>(height - 1)](
            product_.rows(row + r, chunk.first),
            {.lines = lines_ + part * chunk.groups() * kernels_.part_group_bytes,
             .index = part,
             .groups = chunk.groups(),
             .tile = tile + part * kernels_.part_channels,
             .resume = chunk.first > 0,
             .finish = finish,
             // What lies in the first-level cache costs nothing.
             .ahead = fetch ? ahead_ : reinterpret_cast<const std::byte*>(tile),
             .ahead_step = fetch ? step : 0});
        if (fetch) ahead_ += step * chunk.groups();
      }
      if (finish) product_.finish(tile, row + r, height, column);
      r += height;
    }
  }

  const Int4Kernels& kernels_;
  const Product& product_;
  const std::byte* end_ = nullptr;        // Of the panels.
  const std::byte* lines_ = nullptr;      // Of the chunk at hand, as the tiles want them.
  const std::byte* ahead_ = nullptr;      // What is to be fetched next,
  const std::byte* ahead_end_ = nullptr;  // up to here.
  alignas(64) std::array<std::byte, kChunkGroups * kMostGroupBytes> scratch_;
  alignas(64) std::array<float, kBlockRows * kPanelWidth> tiles_;
};

}  // namespace

void gemm_i4(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel) {
  QT_DCHECK(w.format == WeightFormat::kI4 && w.k > 0 && w.k <= 65536);
  QT_DCHECK(x.group_sums != nullptr && x.stride >= padded_depth(w.format, w.k));
  QT_DCHECK(first_panel >= 0 && last_panel <= panel_count(w.n));
  const Int4Kernels& kernels = int4_kernels(active_isa());
  const Product product = {x,
                           w,
                           epilogue,
                           y,
                           internal::gemm_kernels(WeightFormat::kF32, active_isa()).finish,
                           padded_depth(w.format, w.k) / kInt4Group};
  if (x.rows <= kernels.direct_rows) {
    return run_direct(kernels, product, first_panel, last_panel);
  }
  Blocked(kernels, product).run(first_panel, last_panel);
}

}  // namespace quintet::kernels
