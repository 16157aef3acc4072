// Exponentials over one row. Every reduction runs in a fixed order that depends on n alone (on one
// instruction set); rows need no alignment.
// Numerics: exp(x - max), the difference taken in float32, is within 2e-7 of its value; below
// e^-87.3 it counts as zero.
#pragma once

#include <cstdint>

namespace quintet::kernels {

// x = exp(x - max) / sum over n values, in place. -inf means "masked"; one value must be finite.
void softmax(float* x, int64_t n);

// log(sum(exp(x))) over n values. -inf is allowed; one value must be finite.
float log_sum_exp(const float* x, int64_t n);

// Index of the largest value, the first of equals. REQUIRES: n > 0, no NaN.
int64_t argmax(const float* x, int64_t n);

// Largest value of each block of kMaximaBlock values; the last block may be shorter.
// Shapes: maxima [block_count(n)].
inline constexpr int64_t kMaximaBlock = 64;
constexpr int64_t block_count(int64_t n) { return (n + kMaximaBlock - 1) / kMaximaBlock; }
void block_maxima(const float* x, int64_t n, float* maxima);

}  // namespace quintet::kernels
