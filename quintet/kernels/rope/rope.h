// Rotary position embeddings.
#pragma once

#include <cstdint>

namespace quintet::kernels {

// Rotates the pairs (x[i], x[i + half]) by the angles whose cosines and sines are given, in place:
//   x[i] = x[i] cos[i] - x[i + half] sin[i],   x[i + half] = x[i + half] cos[i] + x[i] sin[i]
// Shapes: x [2 half], cosines and sines [half].
// Source: Su et al. 2021, in the order of transformers' rotate_half.
void rotate_half(float* x, const float* cosines, const float* sines, int64_t half);

}  // namespace quintet::kernels
