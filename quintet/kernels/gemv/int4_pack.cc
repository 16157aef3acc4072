#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "quintet/kernels/gemv/int4.h"
#include "quintet/kernels/gemv/int4_kernels.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

// Weighted sums of w * code and code * code: the best scale for these codes is their quotient, and
// the squared error falls by wc * wc / cc from that of all zeros.
struct Int4Fit {
  float wc;
  float cc;
};

struct Int4PackKernels {
  // Of the codes that `inverse_scale` gives the 32 weights of a group.
  Int4Fit (*fit)(const float* w, const float* importance, float inverse_scale);
  void (*codes)(const float* w, float inverse_scale, float* codes);
};

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/gemv/int4_pack_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

using Group = std::array<float, kInt4Group>;

// The scale that leaves the least squared error, of those that put the largest weight at -7.1, -7.2
// ... -8.9: beyond 8 the largest is cut off, which pays where it stands alone.
float best_scale(const Int4PackKernels& kernels, const Group& w, const Group& importance) {
  const float largest = *std::max_element(
      w.begin(), w.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  if (std::fabs(largest) < 1e-30f) return 0;
  float best = 0;
  float best_gain = 0;
  for (int step = -9; step <= 9; ++step) {
    const float inverse = -(8.0f + 0.1f * static_cast<float>(step)) / largest;
    const Int4Fit sums = kernels.fit(w.data(), importance.data(), inverse);
    if (sums.cc > 0 && sums.wc * sums.wc > best_gain * sums.cc) {
      best_gain = sums.wc * sums.wc / sums.cc;
      best = sums.wc / sums.cc;
    }
  }
  return best;
}

// Writes one group of one channel into its block.
void pack_group(const Int4PackKernels& kernels, const Group& w, const Group& importance,
                int64_t channel, std::byte* block) {
  const bf16 scale = bf16_from_f32(best_scale(kernels, w, importance));
  std::memcpy(block + internal::int4_scale_offset(channel), &scale, sizeof scale);
  const float rounded = bf16_to_f32(scale);
  Group codes;
  kernels.codes(w.data(), rounded == 0 ? 0 : 1.0f / rounded, codes.data());
  std::array<uint8_t, kInt4Group> stored;
  for (size_t k = 0; k < stored.size(); ++k) {
    stored[k] = static_cast<uint8_t>(static_cast<int32_t>(codes[k]) + 8);
  }
  // Four bytes at a time: the lower halves, then the upper ones.
  std::byte* bytes = block + internal::kInt4ScaleBytes + channel * 4;
  for (int64_t line = 0; line < internal::kInt4Lines; ++line) {
    std::array<uint32_t, 2> halves;
    std::memcpy(halves.data(), stored.data() + 8 * line, sizeof halves);
    const uint32_t both = halves[0] | halves[1] << 4;
    std::memcpy(bytes + line * kPanelLineBytes, &both, sizeof both);
  }
}

}  // namespace

void pack_weights_i4(MatrixView<const float> w, const float* importance, std::byte* panels) {
  const Int4PackKernels& kernels = variant_for(active_isa(), f32x4::kInt4PackKernels,
                                               f32x8::kInt4PackKernels, f32x16::kInt4PackKernels);
  const int64_t groups = padded_depth(WeightFormat::kI4, w.cols) / kInt4Group;
  std::memset(panels, 0, static_cast<size_t>(packed_bytes(WeightFormat::kI4, w.rows, w.cols)));
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t first = g * kInt4Group;
    const int64_t count = std::min(kInt4Group, w.cols - first);
    Group group{};
    Group weights;
    weights.fill(1);
    if (importance != nullptr) std::copy_n(importance + first, count, weights.begin());
    for (int64_t n = 0; n < w.rows; ++n) {
      std::copy_n(w.row(n) + first, count, group.begin());
      std::byte* panel = panels + n / kPanelWidth * panel_bytes(WeightFormat::kI4, w.cols);
      pack_group(kernels, group, weights, n % kPanelWidth, panel + g * kInt4BlockBytes);
    }
  }
}

float unpacked_weight_i4(const PackedWeights& w, int64_t n, int64_t k) {
  const std::byte* block = w.panel(n / kPanelWidth) + k / kInt4Group * kInt4BlockBytes;
  const int64_t channel = n % kPanelWidth;
  bf16 scale{};
  std::memcpy(&scale, block + internal::int4_scale_offset(channel), sizeof scale);
  const std::byte* line =
      block + internal::kInt4ScaleBytes + k % kInt4Group / 8 * kPanelLineBytes + channel * 4;
  const int both = std::to_integer<int>(line[k % 4]);
  const int stored = k % 8 < 4 ? both & 15 : both >> 4;
  return bf16_to_f32(scale) * static_cast<float>(stored - 8);
}

}  // namespace quintet::kernels
