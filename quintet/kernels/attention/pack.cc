#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

struct PackKernels {
  void (*keys_f32)(MatrixView<const float> k, float* panels);
  void (*keys_bf16)(MatrixView<const float> k, float* panels);
  void (*values_f32)(MatrixView<const float> v, float* panels);
  void (*values_bf16)(MatrixView<const float> v, float* panels);
};

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/attention/pack_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {
namespace {

const PackKernels& pack_kernels() {
  return variant_for(active_isa(), f32x4::kPackKernels, f32x8::kPackKernels, f32x16::kPackKernels);
}

}  // namespace

void pack_keys(WeightFormat format, MatrixView<const float> k, std::byte* panels) {
  QT_CHECK(format == WeightFormat::kF32 || format == WeightFormat::kBF16);
  const PackKernels& kernels = pack_kernels();
  const auto pack = format == WeightFormat::kF32 ? kernels.keys_f32 : kernels.keys_bf16;
  pack(k, reinterpret_cast<float*>(panels));
}

void pack_values(WeightFormat format, MatrixView<const float> v, std::byte* panels) {
  QT_CHECK(format == WeightFormat::kF32 || format == WeightFormat::kBF16);
  const PackKernels& kernels = pack_kernels();
  const auto pack = format == WeightFormat::kF32 ? kernels.values_f32 : kernels.values_bf16;
  pack(v, reinterpret_cast<float*>(panels));
}

}  // namespace quintet::kernels
