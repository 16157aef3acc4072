#include "quintet/kernels/attention/online_softmax.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

#define QT_KERNEL_SOURCE "quintet/kernels/attention/online_softmax_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

float add_scores(SoftmaxState& state, float* scores, int64_t n, int64_t first, int64_t last) {
  QT_DCHECK(n % kSoftmaxStep == 0 && first >= 0 && first <= last && last <= n);
  const float masked = -std::numeric_limits<float>::infinity();
  if (first == last) {
    std::fill_n(scores, n, 0.0f);
    return 1;
  }
  std::fill_n(scores, first, masked);
  std::fill(scores + last, scores + n, masked);
  const auto largest =
      variant_for(active_isa(), &f32x4::largest, &f32x8::largest, &f32x16::largest);
  const auto exponentiate =
      variant_for(active_isa(), &f32x4::exponentiate, &f32x8::exponentiate, &f32x16::exponentiate);
  const float maximum = std::max(state.maximum, largest(scores, n));
  const float correction = std::exp(state.maximum - maximum);
  state.sum = state.sum * correction + exponentiate(scores, maximum, n);
  state.maximum = maximum;
  return correction;
}

void scale_add(float* y, float factor, const float* x, int64_t n) {
  variant_for(active_isa(), &f32x4::scale_add_values, &f32x8::scale_add_values,
              &f32x16::scale_add_values)(y, factor, x, n);
}

}  // namespace quintet::kernels
