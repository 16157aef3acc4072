// Softmax over keys that come in blocks, as FlashAttention has it (Dao et al. 2022).
#pragma once

#include <cstdint>
#include <limits>

namespace quintet::kernels {

// Of the keys that one query has seen so far.
struct SoftmaxState {
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0;  // Of exp(score - maximum).
};

inline constexpr int64_t kSoftmaxStep = 64;

// Takes n more scores, of which [first, last) count: they become exp(score - new maximum), the
// others 0. Returns by what everything that was summed up before is to be multiplied.
// Numerics: as softmax.h; the result for a query does not depend on how many scores that do not
// count stand behind the others.
// REQUIRES: n a multiple of kSoftmaxStep, 0 <= first <= last <= n; scores that count are finite.
float add_scores(SoftmaxState& state, float* scores, int64_t n, int64_t first, int64_t last);

// y = y * factor + x for n values.
void scale_add(float* y, float factor, const float* x, int64_t n);

}  // namespace quintet::kernels
