#include "quintet/kernels/norm/norm.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

#define QT_KERNEL_SOURCE "quintet/kernels/norm/norm_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void layer_norm(const float* x, const float* gamma, const float* beta, float eps, float* y,
                int64_t n) {
  QT_DCHECK(n > 0);
  const auto kernel = variant_for(active_isa(), &f32x4::layer_norm_row, &f32x8::layer_norm_row,
                                  &f32x16::layer_norm_row);
  kernel(x, gamma, beta, eps, y, n);
}

void rms_norm(const float* x, const float* gamma, float eps, float* y, int64_t n) {
  QT_DCHECK(n > 0);
  const auto kernel =
      variant_for(active_isa(), &f32x4::rms_norm_row, &f32x8::rms_norm_row, &f32x16::rms_norm_row);
  kernel(x, gamma, eps, y, n);
}

}  // namespace quintet::kernels
