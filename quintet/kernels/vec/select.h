// Kernels that are written once over the vectors of f32x4.h, f32x8.h and f32x16.h: which of the
// three a processor level runs.
#pragma once

#include "quintet/core/cpu.h"

namespace quintet::kernels {

// Levels in between use the variant below them.
template <typename T>
constexpr const T& variant_for(Isa isa, const T& base, const T& avx2, const T& avx512) {
  switch (isa) {
    case Isa::kAvx512:
    case Isa::kAvx512Bf16: return avx512;
    case Isa::kAvx2:
    case Isa::kAvxVnni: return avx2;
    case Isa::kBase: break;
  }
  return base;
}

}  // namespace quintet::kernels
