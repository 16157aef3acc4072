#include "quintet/kernels/attention/weighted_values_i8.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

#define QT_KERNEL_SOURCE "quintet/kernels/attention/weighted_values_i8_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

using internal::kTileRows;

constexpr int64_t kGroups = kValuePageKeys / 4;
constexpr int64_t kPanelBytes = kGroups * kPanelLineBytes;

struct alignas(64) Sums {
  int32_t rows[kTileRows][kPanelWidth];
};

// The sums of up to kTileRows rows for the 64 channels of one panel, over all pages.
void add_pages(const uint8_t* bytes, int64_t stride, int64_t rows, int64_t panel,
               std::span<const Int8ValuePage> pages, Sums& sums) {
  const internal::TileFn tile =
      internal::unsigned_tiles(active_isa())[static_cast<size_t>(rows - 1)];
  for (size_t p = 0; p < pages.size(); ++p) {
    const uint8_t* x = bytes + static_cast<int64_t>(p) * kValuePageKeys;
    const std::byte* values = pages[p].panels + panel * kPanelBytes;
    if (p == 0) {
      tile(x, stride, values, kGroups, sums.rows);
      continue;
    }
    Sums page;
    tile(x, stride, values, kGroups, page.rows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < kPanelWidth; ++c) sums.rows[r][c] += page.rows[r][c];
    }
  }
}

}  // namespace

float quantize_weights_u8(std::span<const Int8ValuePage> pages, float* weights, uint8_t* bytes) {
  const Isa isa = active_isa();
  const auto scale =
      variant_for(isa, &f32x4::scale_weights, &f32x8::scale_weights, &f32x16::scale_weights);
  const auto to_bytes = variant_for(isa, &f32x4::weights_to_bytes, &f32x8::weights_to_bytes,
                                    &f32x16::weights_to_bytes);
  float largest = 0;
  for (size_t p = 0; p < pages.size(); ++p) {
    largest = std::max(largest,
                       scale(weights + static_cast<int64_t>(p) * kValuePageKeys, pages[p].scales));
  }
  const float factor = largest > 0 ? 255.0f / largest : 0.0f;
  for (size_t p = 0; p < pages.size(); ++p) {
    const int64_t at = static_cast<int64_t>(p) * kValuePageKeys;
    to_bytes(weights + at, factor, bytes + at);
  }
  return largest / 255.0f;
}

void weighted_values_i8(const uint8_t* bytes, int64_t stride, const float* steps,
                        std::span<const Int8ValuePage> pages, MatrixView<float> out) {
  QT_DCHECK(!pages.empty() && pages.size() <= 4);
  const auto store =
      variant_for(active_isa(), &f32x4::scaled_sums, &f32x8::scaled_sums, &f32x16::scaled_sums);
  Sums sums;
  for (int64_t first = 0; first < out.rows; first += kTileRows) {
    const int64_t rows = std::min(kTileRows, out.rows - first);
    for (int64_t column = 0; column < out.cols; column += kPanelWidth) {
      add_pages(bytes + first * stride, stride, rows, column / kPanelWidth, pages, sums);
      for (int64_t r = 0; r < rows; ++r) {
        store(sums.rows[r], steps[first + r], out.row(first + r) + column,
              std::min(kPanelWidth, out.cols - column));
      }
    }
  }
}

}  // namespace quintet::kernels
