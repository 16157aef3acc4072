// y = x W^T for weights packed once and used many times, in float32, bfloat16 and int8.
//
// All three formats share one layout: panels of 64 output channels; within a panel, for each group
// of g input channels, one line of 256 bytes that holds the group for all 64 channels:
//     panels [ceil(N / 64)][ceil(K / g)][64][g],   g = 1 (float32), 2 (bfloat16), 4 (int8)
// so one step of the inner loop is 4 full AVX-512 registers of weights against one broadcast
// 32-bit word of each row of x, whatever the format. Channels past N and inputs past K are zero.
// The layout is the same for every instruction set: a packed file runs on any processor.
//
// Numerics: each output is one chain of additions in rising order of k, whatever the number of rows
// in the call: a row gives the same result alone and in a batch, bit for bit (on one instruction
// set). float32 and bfloat16 accumulate in float32, int8 exactly in int32 (K <= 65536).
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/dtype.h"
#include "quintet/core/tensor.h"

namespace quintet::kernels {

// kI4 has a layout of its own and a product of its own: gemv/int4.h.
enum class WeightFormat : uint8_t { kF32, kBF16, kI8, kI4 };

inline constexpr int64_t kPanelWidth = 64;       // Output channels in a panel.
inline constexpr int64_t kPanelLineBytes = 256;  // One group of inputs for the 64 channels.

inline constexpr int64_t kInt4Group = 32;         // Inputs that share a scale and a zero in kI4.
inline constexpr int64_t kInt4BlockBytes = 1216;  // One such group for the 64 channels.

// g: inputs that share one 32-bit word; of kI4: a scale.
constexpr int64_t group_size(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32: return 1;
    case WeightFormat::kBF16: return 2;
    case WeightFormat::kI8: return 4;
    case WeightFormat::kI4: return kInt4Group;
  }
  return 1;
}
// What is multiplied: the inputs are converted to it. kI4 becomes int8 in registers.
constexpr DType operand_type(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32: return DType::kF32;
    case WeightFormat::kBF16: return DType::kBF16;
    case WeightFormat::kI8:
    case WeightFormat::kI4: return DType::kI8;
  }
  return DType::kF32;
}
constexpr int64_t panel_count(int64_t n) { return (n + kPanelWidth - 1) / kPanelWidth; }
// K rounded up to whole groups: the length that rows of x need in the same format.
constexpr int64_t padded_depth(WeightFormat format, int64_t k) {
  const int64_t g = group_size(format);
  return (k + g - 1) / g * g;
}
constexpr int64_t panel_bytes(WeightFormat format, int64_t k) {
  const int64_t line = format == WeightFormat::kI4 ? kInt4BlockBytes : kPanelLineBytes;
  return padded_depth(format, k) / group_size(format) * line;
}
constexpr int64_t packed_bytes(WeightFormat format, int64_t n, int64_t k) {
  return panel_count(n) * panel_bytes(format, k);
}

// Packed weights that somebody else owns.
struct PackedWeights {
  WeightFormat format = WeightFormat::kF32;
  int64_t n = 0;                      // Output channels.
  int64_t k = 0;                      // Input channels.
  const std::byte* panels = nullptr;  // packed_bytes(format, n, k), 64-byte aligned.
  // int8 only: the real weight is scale[n] * (stored - 128); one per channel, padded with zeros to
  // whole panels, 64-byte aligned.
  const float* scales = nullptr;

  const std::byte* panel(int64_t p) const { return panels + p * panel_bytes(format, k); }
};

// Packs w [N, K]. int8: symmetric per output channel, scale = max|w| / 127, stored as u8 with 128
// added. `scales` (panel_count(n) * 64 floats) is written for int8 only and may be null otherwise.
// kI4: as pack_weights_i4.
void pack_weights(WeightFormat format, MatrixView<const float> w, std::byte* panels, float* scales);

// The real weight [n, k] that a packed matrix stands for, as the kernels see it.
float unpacked_weight(const PackedWeights& w, int64_t n, int64_t k);

// Rows of x quantised to int8, per row: x[i, k] ~ scale[i] * data[i, k].
struct QuantizedRows {
  int8_t* data =
      nullptr;  // [rows, stride]; stride >= padded_depth(format, K), the padding is zero.
  int64_t rows = 0;
  int64_t stride = 0;
  float* scales = nullptr;      // [rows]
  int32_t* row_sums = nullptr;  // [rows]; sum over k of data[i, k].
  // For kI4: sums over each group of 32 inputs, [rows, group_stride()]; the padding of a row then
  // reaches padded_depth(kI4, K). Null: not wanted.
  int32_t* group_sums = nullptr;

  int64_t group_stride() const { return stride / kInt4Group; }
  QuantizedRows rows_from(int64_t first, int64_t count) const {
    return {data + first * stride,
            count,
            stride,
            scales + first,
            row_sums + first,
            group_sums == nullptr ? nullptr : group_sums + first * group_stride()};
  }
};

// What happens to an output on its way from the accumulator to memory, in this order:
// y = x W^T + bias, then gelu, then + residual.
struct Epilogue {
  const float* bias = nullptr;      // [N]
  bool gelu = false;                // Exact (erf) GELU.
  const float* residual = nullptr;  // Same shape and stride as y; may be y itself.
};

// Columns [first_panel * 64, last_panel * 64) of y = x W^T, for all rows of x. Single-threaded: the
// caller shares out rows and panels. y has w.n columns; nothing is written past column w.n - 1.
// Shapes: x [M, K] (row stride free, rows may overlap, 4-byte aligned), y [M, N].
// bfloat16: rows of x must be readable, and zero, up to padded_depth(kBF16, K).
void gemm_f32(MatrixView<const float> x, const PackedWeights& w, const Epilogue& epilogue,
              MatrixView<float> y, int64_t first_panel, int64_t last_panel);
void gemm_bf16(MatrixView<const bf16> x, const PackedWeights& w, const Epilogue& epilogue,
               MatrixView<float> y, int64_t first_panel, int64_t last_panel);
void gemm_i8(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
             MatrixView<float> y, int64_t first_panel, int64_t last_panel);

}  // namespace quintet::kernels
