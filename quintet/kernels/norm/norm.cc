#include "quintet/kernels/norm/norm.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels::f32x4 {
namespace {
#include "quintet/kernels/norm/norm_kernel.inc"
}  // namespace
}  // namespace quintet::kernels::f32x4

QT_ISA_BEGIN(QT_TARGET_AVX2)
namespace quintet::kernels::f32x8 {
namespace {
#include "quintet/kernels/norm/norm_kernel.inc"
}  // namespace
}  // namespace quintet::kernels::f32x8
QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX512)
namespace quintet::kernels::f32x16 {
namespace {
#include "quintet/kernels/norm/norm_kernel.inc"
}  // namespace
}  // namespace quintet::kernels::f32x16
QT_ISA_END

namespace quintet::kernels {

void layer_norm(const float* x, const float* gamma, const float* beta, float eps, float* y,
                int64_t n) {
  QT_DCHECK(n > 0);
  const auto kernel = variant_for(active_isa(), &f32x4::layer_norm_row, &f32x8::layer_norm_row,
                                  &f32x16::layer_norm_row);
  kernel(x, gamma, beta, eps, y, n);
}

}  // namespace quintet::kernels
