// Weighted sums of int8 values of which each key has its own scale: attention over a cache that
// grows key by key, where no scale for a channel is known in advance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

inline constexpr int64_t kValuePageKeys = 64;

// Values of 64 keys of one head; somebody else owns the memory.
struct Int8ValuePage {
  // [ceil(d / 64)][64 / 4][64][4]: the layout of a kI8 matrix [d, 64 keys], but signed.
  const std::byte* panels;
  const float* scales;  // [64]; a stored value stands for scale * value.
};

// Folds the scales into the attention weights of one query and makes bytes of them, relative to the
// largest; returns what a step of the bytes stands for. Weights are not negative; a row without
// any, or without scales, gives zeros. `weights` is overwritten.
// Shapes: weights, bytes [64 pages.size()].
float quantize_weights_u8(std::span<const Int8ValuePage> pages, float* weights, uint8_t* bytes);

// out[r] = steps[r] * sum over the keys of bytes[r, key] * value[key], with exact integer sums.
// Shapes: bytes [rows, 64 pages.size()] with `stride`, steps [rows], out [rows, d].
// REQUIRES: at most 256 keys.
void weighted_values_i8(const uint8_t* bytes, int64_t stride, const float* steps,
                        std::span<const Int8ValuePage> pages, MatrixView<float> out);

}  // namespace quintet::kernels
