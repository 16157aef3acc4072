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

constexpr int64_t kInt4PackChannels = 16;

// One group of the channels.
struct Int4PackInput {
  alignas(64) float w[kInt4PackChannels][kInt4Group];
  alignas(64) float importance[kInt4Group];
  // Int4Grid of each channel, step >= 0.
  bool has_grids;
  alignas(64) float step[kInt4PackChannels];
  alignas(64) float minimum[kInt4PackChannels];
};

struct Int4PackOutput {
  alignas(64) float scale[kInt4PackChannels];  // Exact in bfloat16.
  alignas(64) uint8_t zero[kInt4PackChannels];
  alignas(64) uint8_t codes[kInt4Group][kInt4PackChannels];
};

// Lowest and highest code stand at these shares of the lowest and highest weight. The list was made
// by adding, one after another, whatever lowered the error of normal weights most.
struct Int4Range {
  float of_low;
  float of_high;
};
constexpr auto kInt4Ranges = std::to_array<Int4Range>({{0.96f, 0.96f},
                                                       {0.96f, 1.04f},
                                                       {1.04f, 0.96f},
                                                       {0.96f, 1.08f},
                                                       {1.0f, 1.0f},
                                                       {0.92f, 1.0f},
                                                       {1.0f, 0.92f},
                                                       {1.08f, 1.0f},
                                                       {0.96f, 1.0f},
                                                       {1.0f, 0.96f},
                                                       {1.0f, 1.08f},
                                                       {1.08f, 0.96f}});
constexpr int kInt4Refinements = 2;

constexpr float kInt4OnGrid = 3e38f;  // More than any gain.

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/gemv/int4_pack_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

// The part of `importance` that stands for a group, so that its largest is 1; ones where nothing is
// known, zeros behind the last input.
void set_importance(const float* importance, int64_t count, Int4PackInput& in) {
  std::fill_n(in.importance, kInt4Group, 0.0f);
  float largest = 0;
  for (int64_t k = 0; importance != nullptr && k < count; ++k) {
    largest = std::max(largest, importance[k]);
  }
  for (int64_t k = 0; k < count; ++k) in.importance[k] = largest > 0 ? importance[k] / largest : 1;
}

void set_grid(Int4Grid grid, int64_t channel, Int4PackInput& in) {
  const bool falling = grid.step < 0;
  in.step[channel] = std::fabs(grid.step);
  in.minimum[channel] = falling ? grid.minimum + 15 * grid.step : grid.minimum;
}

// Writes one group of one channel into its block.
void store_group(const Int4PackOutput& fit, int64_t from, int64_t channel, std::byte* block) {
  const bf16 scale = bf16_from_f32(fit.scale[from]);
  std::memcpy(block + internal::int4_scale_offset(channel), &scale, sizeof scale);
  block[internal::int4_zero_offset(channel)] = std::byte{fit.zero[from]};
  std::byte* bytes = block + internal::kInt4LinesAt + channel * 4;
  for (int64_t line = 0; line < internal::kInt4Lines; ++line) {
    for (int64_t j = 0; j < 4; ++j) {
      const int both = fit.codes[8 * line + j][from] | fit.codes[8 * line + 4 + j][from] << 4;
      bytes[line * kPanelLineBytes + j] = static_cast<std::byte>(both);
    }
  }
}

}  // namespace

void pack_weights_i4(MatrixView<const float> w, const float* importance, std::byte* panels,
                     const Int4Grid* grids) {
  const auto fit =
      variant_for(active_isa(), f32x4::kFitGroups, f32x8::kFitGroups, f32x16::kFitGroups);
  const int64_t groups = padded_depth(WeightFormat::kI4, w.cols) / kInt4Group;
  std::memset(panels, 0, static_cast<size_t>(packed_bytes(WeightFormat::kI4, w.rows, w.cols)));
  Int4PackInput in{};
  in.has_grids = grids != nullptr;
  Int4PackOutput out;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t first = g * kInt4Group;
    const int64_t count = std::min(kInt4Group, w.cols - first);
    set_importance(importance == nullptr ? nullptr : importance + first, count, in);
    for (int64_t n = 0; n < w.rows; n += kInt4PackChannels) {
      const int64_t channels = std::min(kInt4PackChannels, w.rows - n);
      std::byte* panel = panels + n / kPanelWidth * panel_bytes(WeightFormat::kI4, w.cols);
      for (int64_t i = 0; i < channels; ++i) {
        std::fill(std::copy_n(w.row(n + i) + first, count, in.w[i]), in.w[i] + kInt4Group, 0.0f);
        if (grids != nullptr) set_grid(grids[(n + i) * groups + g], i, in);
      }
      fit(in, out);
      for (int64_t i = 0; i < channels; ++i) {
        store_group(out, i, (n + i) % kPanelWidth, panel + g * kInt4BlockBytes);
      }
    }
  }
}

float unpacked_weight_i4(const PackedWeights& w, int64_t n, int64_t k) {
  const std::byte* block = w.panel(n / kPanelWidth) + k / kInt4Group * kInt4BlockBytes;
  const int64_t channel = n % kPanelWidth;
  bf16 scale{};
  std::memcpy(&scale, block + internal::int4_scale_offset(channel), sizeof scale);
  const int zero = std::to_integer<int>(block[internal::int4_zero_offset(channel)]);
  const std::byte* line =
      block + internal::kInt4LinesAt + k % kInt4Group / 8 * kPanelLineBytes + channel * 4;
  const int both = std::to_integer<int>(line[k % 4]);
  const int code = k % 8 < 4 ? both & 15 : both >> 4;
  return bf16_to_f32(scale) * static_cast<float>(8 * code + zero - 128);
}

}  // namespace quintet::kernels
