#include "quintet/kernels/attention/attend_i8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

using internal::kTileRows;

// Keys that share one scale of the attention weights. Their panels of keys and values (2 x 16 KiB
// at d = 64) stay in the first-level cache while the tiles of a query block pass.
constexpr int64_t kKeyBlock = 256;
constexpr float kLog2E = 1.44269504f;

// What one row has gathered over the blocks of keys so far.
struct RowState {
  float largest;  // Of the scores, in units of log2.
  float sum;      // Of the weights, relative to `largest`.
};

// Scores of one block: integers [tile][key] become weights.
struct ScoreBlock {
  alignas(64) int32_t products[kKeyBlock / kPanelWidth][kTileRows][kPanelWidth];
  alignas(64) float scores[kKeyBlock];
  alignas(64) uint8_t weights[kTileRows][kKeyBlock];
};

struct BlockWeights {
  float largest;
  float sum;
};

struct AttendI8Kernels {
  // Weights of row r of the block over its first `count` keys; zero up to whole lines after them.
  BlockWeights (*weigh)(ScoreBlock& block, int64_t r, int64_t count, const float* key_scales,
                        float row_scale, float row_shift);
  // to = to * keep + from * add, n values.
  void (*accumulate)(const int32_t* from, float add, float keep, float* to, int64_t n);
  // Largest magnitude of each of the columns [first, first + kPanelWidth) of v.
  void (*column_max_abs)(MatrixView<const float> v, float* largest);
};

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/attention/attend_i8_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

const AttendI8Kernels& attend_kernels() {
  return variant_for(active_isa(), f32x4::kAttendI8Kernels, f32x8::kAttendI8Kernels,
                     f32x16::kAttendI8Kernels);
}

// Everything that one block of queries needs; about 36 KiB, on the stack of the thread.
class QueryBlock {
 public:
  QueryBlock(const QuantizedRows& q, const Int8KeyValues& kv)
      : q_(q),
        kv_(kv),
        d_(kv.keys.k),
        width_(panel_count(d_) * kPanelWidth),
        score_tiles_(internal::gemm_kernels(WeightFormat::kI8, active_isa()).tile),
        value_tiles_(internal::unsigned_tiles(active_isa())),
        kernels_(attend_kernels()) {
    for (int64_t r = 0; r < q.rows; ++r) {
      rows_[r] = {-std::numeric_limits<float>::infinity(), 0};
      std::fill_n(sums_[r], width_, 0.0f);
    }
  }

  void run(MatrixView<float> out) {
    for (int64_t key = 0; key < kv_.keys.n; key += kKeyBlock) {
      for (int64_t row = 0; row < q_.rows; row += kTileRows) {
        add_block(row, std::min(kTileRows, q_.rows - row), key);
      }
    }
    for (int64_t r = 0; r < q_.rows; ++r) {
      const float factor = 1 / rows_[r].sum;
      for (int64_t c = 0; c < d_; ++c) out.row(r)[c] = sums_[r][c] * factor * kv_.value_scales[c];
    }
  }

 private:
  // Rows [first, first + height) against the keys from `key` on.
  void add_block(int64_t first, int64_t height, int64_t key) {
    const int64_t count = std::min(kKeyBlock, kv_.keys.n - key);
    const auto tile = static_cast<size_t>(height - 1);
    const int64_t panels = panel_count(count);
    const int64_t groups = padded_depth(WeightFormat::kI8, d_) / 4;
    for (int64_t p = 0; p < panels; ++p) {
      score_tiles_[tile](q_.data + first * q_.stride, q_.stride,
                         kv_.keys.panel(key / kPanelWidth + p), groups, block_.products[p]);
    }
    float add[kTileRows];
    float keep[kTileRows];
    for (int64_t r = 0; r < height; ++r) join(first + r, r, key, count, add[r], keep[r]);

    const int64_t value_bytes = panel_bytes(WeightFormat::kI8, kv_.keys.n);
    const int64_t lines = padded_depth(WeightFormat::kI8, count) / 4;
    for (int64_t p = 0; p * kPanelWidth < width_; ++p) {
      const std::byte* panel = kv_.value_panels + p * value_bytes + key / 4 * kPanelLineBytes;
      // The scores of this tile are used up: their place takes the product.
      value_tiles_[tile](block_.weights, kKeyBlock, panel, lines, block_.products[0]);
      for (int64_t r = 0; r < height; ++r) {
        kernels_.accumulate(block_.products[0][r], add[r], keep[r],
                            sums_[first + r] + p * kPanelWidth, kPanelWidth);
      }
    }
  }

  // Weights of tile row r, and the factors by which old and new sums enter.
  void join(int64_t row, int64_t r, int64_t key, int64_t count, float& add, float& keep) {
    RowState& state = rows_[row];
    const BlockWeights found =
        kernels_.weigh(block_, r, count, kv_.keys.scales + key, q_.scales[row] * kLog2E,
                       128.0f * static_cast<float>(q_.row_sums[row]));
    const float rise = found.largest - state.largest;
    add = rise < 0 ? std::exp2(rise) : 1.0f;
    keep = rise > 0 ? std::exp2(-rise) : 1.0f;
    state = {std::max(state.largest, found.largest), state.sum * keep + found.sum * add};
  }

  const QuantizedRows& q_;
  const Int8KeyValues& kv_;
  int64_t d_;
  int64_t width_;
  const std::array<internal::TileFn, kTileRows>& score_tiles_;
  const internal::UnsignedTiles& value_tiles_;
  const AttendI8Kernels& kernels_;
  RowState rows_[kInt8QueryBlock];
  alignas(64) float sums_[kInt8QueryBlock][kMaxInt8HeadDim];
  ScoreBlock block_;
};

// Four bytes of four keys make the word of a channel.
void pack_value_lines(MatrixView<const float> v, const float* inverse_scales, std::byte* panel) {
  const int64_t columns = v.cols;
  for (int64_t key = 0; key < v.rows; key += 4) {
    std::byte* line = panel + key / 4 * kPanelLineBytes;
    for (int64_t i = 0; i < std::min<int64_t>(4, v.rows - key); ++i) {
      const float* row = v.row(key + i);
      for (int64_t c = 0; c < columns; ++c) {
        // Adding 1.5 * 2^23 rounds to an integer, whose two's complement the low byte then is.
        const float rounded = row[c] * inverse_scales[c] + 12582912.0f;
        line[c * 4 + i] = static_cast<std::byte>(std::bit_cast<uint32_t>(rounded) & 0xffu);
      }
    }
  }
}

}  // namespace

void pack_keys_i8(const QuantizedRows& k, int64_t d, std::byte* panels, float* scales) {
  const int64_t depth = padded_depth(WeightFormat::kI8, d);
  for (int64_t i = 0; i < k.rows; ++i) {
    int8_t* row = k.data + i * k.stride;
    for (int64_t c = 0; c < depth; ++c) row[c] = static_cast<int8_t>(row[c] ^ 0x80);
  }
  // Four bytes travel as one float: packing moves bits and does not look at them.
  pack_keys(WeightFormat::kF32,
            {reinterpret_cast<const float*>(k.data), k.rows, depth / 4, k.stride / 4}, panels);
  const int64_t width = panel_count(k.rows) * kPanelWidth;
  std::copy_n(k.scales, k.rows, scales);
  std::fill(scales + k.rows, scales + width, 0.0f);
}

void pack_values_i8(MatrixView<const float> v, std::byte* panels, float* scales) {
  const int64_t bytes = panel_bytes(WeightFormat::kI8, v.rows);
  std::fill_n(panels, panel_count(v.cols) * bytes, std::byte{0});
  for (int64_t c = 0; c < v.cols; c += kPanelWidth) {
    const MatrixView<const float> part{v.data + c, v.rows, std::min(kPanelWidth, v.cols - c),
                                       v.stride};
    float inverse[kPanelWidth] = {};
    attend_kernels().column_max_abs(part, scales + c);
    for (int64_t i = 0; i < kPanelWidth; ++i) {
      scales[c + i] *= 1.0f / 127.0f;
      inverse[i] = scales[c + i] > 0 ? 1 / scales[c + i] : 0.0f;
    }
    pack_value_lines(part, inverse, panels + c / kPanelWidth * bytes);
  }
}

void attend_i8(const QuantizedRows& q, const Int8KeyValues& kv, MatrixView<float> out) {
  QT_DCHECK(kv.keys.n > 0 && kv.keys.k >= 1 && kv.keys.k <= kMaxInt8HeadDim);
  QT_DCHECK(q.rows <= kInt8QueryBlock);
  QueryBlock(q, kv).run(out);
}

}  // namespace quintet::kernels
