#include "quintet/kernels/gemm/gemm.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/gemm/gemm_kernels.h"

namespace quintet::kernels {
namespace internal {

const GemmKernels& gemm_kernels(WeightFormat format, Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kBase: break;
    case Isa::kAvx2: return gemm_kernels_avx2(format);
    case Isa::kAvxVnni: return gemm_kernels_avx_vnni(format);
    case Isa::kAvx512: return gemm_kernels_avx512(format);
    case Isa::kAvx512Bf16: return gemm_kernels_avx512_bf16(format);
  }
#else
  static_cast<void>(isa);
#endif
  return gemm_kernels_base(format);
}

const UnsignedTiles& unsigned_tiles(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return unsigned_tiles_avx512();
  if (isa == Isa::kAvxVnni) return unsigned_tiles_avx_vnni();
  if (isa == Isa::kAvx2) return unsigned_tiles_avx2();
#else
  static_cast<void>(isa);
#endif
  return unsigned_tiles_base();
}

}  // namespace internal

namespace {

using internal::GemmKernels;
using internal::kTileRows;
using internal::Tile;
using internal::TileOutput;

// Rows of x in whatever format; scales and row sums for int8 only.
struct Rows {
  const std::byte* data;
  int64_t count;
  int64_t stride_bytes;
  const float* scales = nullptr;
  const int32_t* row_sums = nullptr;
};

TileOutput tile_output(const Rows& x, const PackedWeights& w, const Epilogue& epilogue,
                       MatrixView<float> y, int64_t row, int64_t panel) {
  const int64_t column = panel * kPanelWidth;
  const bool quantized = x.scales != nullptr;
  return {
      .y = y.row(row) + column,
      .y_stride = y.stride,
      .columns = std::min(kPanelWidth, w.n - column),
      .bias = epilogue.bias != nullptr ? epilogue.bias + column : nullptr,
      .residual =
          epilogue.residual != nullptr ? epilogue.residual + row * y.stride + column : nullptr,
      .gelu = epilogue.gelu,
      .x_scales = quantized ? x.scales + row : nullptr,
      .x_row_sums = quantized ? x.row_sums + row : nullptr,
      .w_scales = quantized ? w.scales + column : nullptr,
  };
}

// One row against panels two by two; returns the first panel that is left.
int64_t run_pairs(const GemmKernels& kernels, const Rows& x, const PackedWeights& w,
                  const Epilogue& epilogue, MatrixView<float> y, int64_t panel,
                  int64_t last_panel) {
  const int64_t bytes = panel_bytes(w.format, w.k);
  Tile tile;
  for (; panel + 2 <= last_panel; panel += 2) {
    kernels.pair(x.data, bytes, w.panel(panel), bytes / kPanelLineBytes, tile.row(0));
    kernels.finish(tile.row(0), 1, tile_output(x, w, epilogue, y, 0, panel));
    kernels.finish(tile.row(1), 1, tile_output(x, w, epilogue, y, 0, panel + 1));
  }
  return panel;
}

// Panels outside, rows inside: a panel (512 KiB at K = 2048 in float32) stays in the second-level
// cache while all rows pass it. Asking for the next panel early, and splitting the rows here, were
// measured and gained nothing beyond the noise (gemm_bench, M = 192 and 1500): callers that pass
// rows in blocks whose x and y fit that cache gain most.
void run(const Rows& x, const PackedWeights& w, const Epilogue& epilogue, MatrixView<float> y,
         int64_t first_panel, int64_t last_panel) {
  QT_DCHECK(w.k > 0 && w.k <= 65536);
  QT_DCHECK(first_panel >= 0 && last_panel <= panel_count(w.n));
  const GemmKernels& kernels = internal::gemm_kernels(w.format, active_isa());
  if (x.count == 1 && kernels.pair != nullptr) {
    first_panel = run_pairs(kernels, x, w, epilogue, y, first_panel, last_panel);
  }
  const int64_t groups = panel_bytes(w.format, w.k) / kPanelLineBytes;
  const int64_t strips = (x.count + kTileRows - 1) / kTileRows;
  Tile tile;
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    int64_t row = 0;
    for (int64_t strip = 0; strip < strips; ++strip) {
      // Strips of nearly equal height: a last strip of one row would run at a fraction of the rate.
      const int64_t height = (x.count - row + strips - strip - 1) / (strips - strip);
      kernels.tile[static_cast<size_t>(height - 1)](x.data + row * x.stride_bytes, x.stride_bytes,
                                                    w.panel(panel), groups, tile.row(0));
      kernels.finish(tile.row(0), height, tile_output(x, w, epilogue, y, row, panel));
      row += height;
    }
  }
}

template <typename T>
Rows rows_of(MatrixView<const T> x) {
  return {.data = reinterpret_cast<const std::byte*>(x.data),
          .count = x.rows,
          .stride_bytes = x.stride * static_cast<int64_t>(sizeof(T))};
}

}  // namespace

void gemm_f32(MatrixView<const float> x, const PackedWeights& w, const Epilogue& epilogue,
              MatrixView<float> y, int64_t first_panel, int64_t last_panel) {
  QT_DCHECK(w.format == WeightFormat::kF32);
  run(rows_of(x), w, epilogue, y, first_panel, last_panel);
}

void gemm_bf16(MatrixView<const bf16> x, const PackedWeights& w, const Epilogue& epilogue,
               MatrixView<float> y, int64_t first_panel, int64_t last_panel) {
  QT_DCHECK(w.format == WeightFormat::kBF16);
  run(rows_of(x), w, epilogue, y, first_panel, last_panel);
}

void gemm_i8(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel) {
  QT_DCHECK(w.format == WeightFormat::kI8);
  const Rows rows = {.data = reinterpret_cast<const std::byte*>(x.data),
                     .count = x.rows,
                     .stride_bytes = x.stride,
                     .scales = x.scales,
                     .row_sums = x.row_sums};
  run(rows, w, epilogue, y, first_panel, last_panel);
}

}  // namespace quintet::kernels
