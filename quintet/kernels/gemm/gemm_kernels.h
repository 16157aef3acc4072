// The inner kernels of the packed products, one table per format and instruction set. Internal to
// the kernels that walk panels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels::internal {

// 6 rows x 64 channels: 24 accumulators, which with 4 registers of weights fill the 32 of AVX-512.
inline constexpr int64_t kTileRows = 6;

// The sums of a tile [rows][64]: float32, or int32 for int8 weights; then float32 in place.
struct alignas(64) Tile {
  std::array<std::byte, kTileRows * kPanelWidth * 4> bytes;

  void* row(int64_t i) { return bytes.data() + i * kPanelWidth * 4; }
};

// tile[r] = sum over `groups` lines of the panel, r < rows. x_stride in bytes. REQUIRES: groups >
// 0.
using TileFn = void (*)(const void* x, int64_t x_stride, const std::byte* panel, int64_t groups,
                        void* tile);

// One row against two neighbouring panels, `panel_stride` bytes apart: tile[p] is that of panel p.
// Gives a single row enough independent chains to hide the latency of the multiply-adds.
using PairFn = void (*)(const void* x, int64_t panel_stride, const std::byte* panel, int64_t groups,
                        void* tile);

// Where the sums of a tile go. Pointers stand at the tile's first row and column.
struct TileOutput {
  float* y;
  int64_t y_stride;
  int64_t columns;  // 1 to 64.
  const float* bias;
  const float* residual;
  bool gelu;
  // int8 only.
  const float* x_scales;
  const int32_t* x_row_sums;
  const float* w_scales;
};

// Epilogue and store. The tile is overwritten.
using FinishFn = void (*)(void* tile, int64_t rows, const TileOutput& out);

struct GemmKernels {
  std::string_view name;  // "f32 avx512".
  std::array<TileFn, kTileRows> tile;
  PairFn pair;  // Null: one panel at a time.
  FinishFn finish;
};

const GemmKernels& gemm_kernels_base(WeightFormat format);
#if defined(__x86_64__)
const GemmKernels& gemm_kernels_avx2(WeightFormat format);
const GemmKernels& gemm_kernels_avx_vnni(WeightFormat format);
const GemmKernels& gemm_kernels_avx512(WeightFormat format);
const GemmKernels& gemm_kernels_avx512_bf16(WeightFormat format);
// bfloat16 through vdpbf16ps, which kAvx512Bf16 takes where it is the faster way.
const GemmKernels& gemm_kernels_vdpbf16ps();
#endif

// The kernels that gemm_* runs at level `isa`.
const GemmKernels& gemm_kernels(WeightFormat format, Isa isa);

// int8 with the signs the other way round: x is unsigned and the panels are signed bytes. For x
// that are never negative, such as attention weights, it has one bit more and needs no correction.
using UnsignedTiles = std::array<TileFn, kTileRows>;
const UnsignedTiles& unsigned_tiles_base();
#if defined(__x86_64__)
const UnsignedTiles& unsigned_tiles_avx2();
const UnsignedTiles& unsigned_tiles_avx_vnni();
const UnsignedTiles& unsigned_tiles_avx512();
#endif
const UnsignedTiles& unsigned_tiles(Isa isa);

}  // namespace quintet::kernels::internal
