#include "quintet/kernels/softmax/softmax.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

struct SoftmaxKernels {
  void (*softmax)(float* x, int64_t n);
  float (*log_sum_exp)(const float* x, int64_t n);
  int64_t (*argmax)(const float* x, int64_t n);
  void (*block_maxima)(const float* x, int64_t n, float* maxima);
};

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/softmax/softmax_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

const SoftmaxKernels& softmax_kernels() {
  return variant_for(active_isa(), f32x4::kKernels, f32x8::kKernels, f32x16::kKernels);
}

}  // namespace

void softmax(float* x, int64_t n) { softmax_kernels().softmax(x, n); }

float log_sum_exp(const float* x, int64_t n) { return softmax_kernels().log_sum_exp(x, n); }

int64_t argmax(const float* x, int64_t n) {
  QT_DCHECK(n > 0);
  return softmax_kernels().argmax(x, n);
}

void block_maxima(const float* x, int64_t n, float* maxima) {
  softmax_kernels().block_maxima(x, n, maxima);
}

}  // namespace quintet::kernels
