// The inner kernels of int4.cc, one table per instruction set. Internal to gemv/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels::internal {

inline constexpr int64_t kInt4ScaleBytes = kPanelWidth * 2;
inline constexpr int64_t kInt4Lines = kInt4Group / 8;
static_assert(kInt4BlockBytes == kInt4ScaleBytes + kInt4Lines * kPanelLineBytes);

// Offset of a channel's scale in the scales of a block.
constexpr int64_t int4_scale_offset(int64_t channel) {
  return channel / 32 * 64 + channel % 16 * 4 + channel % 32 / 16 * 2;
}

// Rows of x against one panel.
struct Int4Rows {
  const int8_t* x;
  int64_t stride;
  const int32_t* group_sums;
  int64_t group_stride;
  const float* scales;
};

// tile[r][64] = x[r] W^T, r < rows, in float32.
using Int4TileFn = void (*)(const Int4Rows& x, const std::byte* panel, int64_t groups, float* tile);

// Rows that share one walk over a panel.
inline constexpr int64_t kInt4TileRows = 4;

struct Int4Kernels {
  std::string_view name;
  std::array<Int4TileFn, kInt4TileRows> tile;
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
