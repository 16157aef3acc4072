#pragma once

#include <cstdint>

namespace quintet::kernels {

// x * (1 + erf(x / sqrt(2))) / 2 for n values, in place. |error| <= 1e-6 * max(1, |x|).
void gelu(float* x, int64_t n);

}  // namespace quintet::kernels
