#include "quintet/kernels/lstm/lstm.h"

#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

using LstmCell = void (*)(const float* gates, int64_t n, float* c, float* h);

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/lstm/lstm_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void lstm_cell(const float* gates, int64_t n, float* c, float* h) {
  variant_for(active_isa(), f32x4::kCell, f32x8::kCell, f32x16::kCell)(gates, n, c, h);
}

}  // namespace quintet::kernels
