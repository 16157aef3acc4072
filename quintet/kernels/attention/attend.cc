#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/softmax/softmax.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

struct AttendKernels {
  void (*score_keys)(const float* q, const float* const* k, int64_t n, int64_t d, float* scores);
  void (*sum_values)(const float* p, const float* const* v, int64_t n, int64_t d, float* out);
};

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/attention/attend_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void attend(const float* q, const float* const* k, const float* const* v, int64_t n, int64_t d,
            float* scores, float* out) {
  QT_DCHECK(n > 0 && d > 0);
  const AttendKernels& kernels =
      variant_for(active_isa(), f32x4::kKernels, f32x8::kKernels, f32x16::kKernels);
  kernels.score_keys(q, k, n, d, scores);
  softmax(scores, n);
  kernels.sum_values(scores, v, n, d, out);
}

}  // namespace quintet::kernels
