// The inner kernels of int4.cc, one table per instruction set. Internal to gemv/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels::internal {

// Where the parts of a block begin.
inline constexpr int64_t kInt4ZerosAt = kPanelWidth * 2;
inline constexpr int64_t kInt4LinesAt = kInt4ZerosAt + kPanelWidth;
inline constexpr int64_t kInt4Lines = kInt4Group / 8;
static_assert(kInt4BlockBytes == kInt4LinesAt + kInt4Lines * kPanelLineBytes);

// Offsets of a channel's scale and zero in a block.
constexpr int64_t int4_scale_offset(int64_t channel) {
  return channel / 32 * 64 + channel % 16 * 4 + channel % 32 / 16 * 2;
}
constexpr int64_t int4_zero_offset(int64_t channel) {
  return kInt4ZerosAt + channel % 16 * 4 + channel / 16;
}

// Rows of x against one panel.
struct Int4Rows {
  const int8_t* x;
  int64_t stride;
  const int32_t* group_sums;
  int64_t group_stride;
  const float* scales;
};

// tile[r][64] = x[r] W^T, r < rows, in float32, from the blocks of a panel as they are.
using Int4DirectFn = void (*)(const Int4Rows& x, const std::byte* panel, int64_t groups,
                              float* tile);
inline constexpr int64_t kInt4DirectRows = 4;

// For more rows the panel is cut into parts of `part_channels` channels. Where instructions or
// registers for it are short, the weights are made bytes first: `lines` has the parts one after
// another, each with `part_group_bytes` for each group, as the tiles of the same table want them.
using Int4UnpackFn = void (*)(const std::byte* panel, int64_t groups, std::byte* lines);

// What a tile is about, beside its rows.
struct Int4Part {
  const std::byte* lines;  // Of one part; the blocks of the panel where nothing is unpacked.
  int64_t index;           // Which part of the panel.
  int64_t groups;          // > 0
  float* tile;             // Rows 64 floats apart.
  bool resume;             // Adds to the sums of earlier groups, which lie in the tile.
  bool finish;             // Multiplies by the scales of the rows at the end.
  const std::byte* ahead;  // For each group, 640 bytes from here are asked for ...
  int64_t ahead_step;      // ... and this is added.
};
using Int4PartFn = void (*)(const Int4Rows& x, const Int4Part& part);
inline constexpr int64_t kInt4MostPartRows = 6;

struct Int4Kernels {
  std::string_view name;
  std::array<Int4DirectFn, kInt4DirectRows> direct;
  int64_t direct_rows;  // Up to how many rows go the direct way; what follows is unset if all do.
  Int4UnpackFn unpack;  // Null: the tiles read the blocks themselves.
  int64_t part_channels;
  int64_t part_group_bytes;  // 0 without `unpack`.
  int64_t part_rows;         // The first entries of `part` that are set.
  std::array<Int4PartFn, kInt4MostPartRows> part;
};

const Int4Kernels& int4_kernels_base();
#if defined(__x86_64__)
const Int4Kernels& int4_kernels_avx2();
const Int4Kernels& int4_kernels_avx_vnni();
const Int4Kernels& int4_kernels_avx512();
#endif

// The kernels that gemm_i4 runs at level `isa`.
const Int4Kernels& int4_kernels(Isa isa);

}  // namespace quintet::kernels::internal
