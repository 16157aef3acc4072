#include "quintet/kernels/rope/rope.h"

#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

#define QT_KERNEL_SOURCE "quintet/kernels/rope/rope_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void rotate_half(float* x, const float* cosines, const float* sines, int64_t half) {
  variant_for(active_isa(), &f32x4::rotate, &f32x8::rotate, &f32x16::rotate)(x, cosines, sines,
                                                                             half);
}

}  // namespace quintet::kernels
