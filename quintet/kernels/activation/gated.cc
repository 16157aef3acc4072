#include "quintet/kernels/activation/gated.h"

#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

#define QT_KERNEL_SOURCE "quintet/kernels/activation/gated_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void silu_multiply(float* gate, const float* up, int64_t n) {
  const auto kernel =
      variant_for(active_isa(), &f32x4::activate_multiply<f32x4::Silu>,
                  &f32x8::activate_multiply<f32x8::Silu>, &f32x16::activate_multiply<f32x16::Silu>);
  kernel(gate, up, n);
}

void gelu_tanh_multiply(float* gate, const float* up, int64_t n) {
  const auto kernel = variant_for(active_isa(), &f32x4::activate_multiply<f32x4::GeluTanh>,
                                  &f32x8::activate_multiply<f32x8::GeluTanh>,
                                  &f32x16::activate_multiply<f32x16::GeluTanh>);
  kernel(gate, up, n);
}

}  // namespace quintet::kernels
