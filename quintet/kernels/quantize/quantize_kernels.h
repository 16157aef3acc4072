// The row kernels of quantize.cc, one table per instruction set. Internal to quantize/. All levels
// give the same bits, but for the payload of a NaN.
#pragma once

#include <cstdint>
#include <string_view>

#include "quintet/core/cpu.h"
#include "quintet/core/dtype.h"

namespace quintet::kernels::internal {

struct QuantizeKernels {
  std::string_view name;
  float (*max_abs)(const float* x, int64_t n);
  // q = round(x * inverse_scale), to nearest even; returns the sum of q.
  // REQUIRES: |x * inverse_scale| < 127.5.
  int32_t (*quantize)(const float* x, int64_t n, float inverse_scale, int8_t* q);
  void (*f32_to_bf16)(const float* x, bf16* y, int64_t n);
  void (*bf16_to_f32)(const bf16* x, float* y, int64_t n);
  void (*f16_to_f32)(const uint16_t* x, float* y, int64_t n);
};

const QuantizeKernels& quantize_kernels_base();
#if defined(__x86_64__)
const QuantizeKernels& quantize_kernels_avx2();
const QuantizeKernels& quantize_kernels_avx512();
#endif

// The kernels that run at level `isa`.
const QuantizeKernels& quantize_kernels(Isa isa);

}  // namespace quintet::kernels::internal
