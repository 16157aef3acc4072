#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/gemv/int4_kernels.h"
#include "quintet/kernels/isa.h"

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX512)

namespace {

struct V {
  using Int = __m512i;
  using Float = __m512;
  static constexpr int64_t kLanes = 16;

  static Int load(const std::byte* p) { return _mm512_load_si512(p); }
  static Int low_nibbles(Int v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  static Int high_nibbles(Int v) { return low_nibbles(_mm512_srli_epi16(v, 4)); }
  static Int word(const int8_t* x) { return _mm512_broadcastd_epi32(_mm_loadu_si32(x)); }
  static Int start(int32_t shift) { return _mm512_set1_epi32(-shift); }
  static Int add_products(Int sum, Int w, Int x) { return _mm512_dpbusd_epi32(sum, w, x); }
  static Float finish(Int sum, int32_t) { return _mm512_cvtepi32_ps(sum); }
  static Float low_bf16(Int v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
  static Float high_bf16(Int v) {
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(-65536)));
  }
  static Float zero() { return _mm512_setzero_ps(); }
  static Float broadcast(float x) { return _mm512_set1_ps(x); }
  static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static void store(float* p, Float x) { _mm512_storeu_ps(p, x); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"

}  // namespace

QT_ISA_END

const Int4Kernels& int4_kernels_avx512() {
  static constexpr Int4Kernels kKernels = {
      "i4 avx512", {int4_tile<1, 2>, int4_tile<2, 2>, int4_tile<3, 2>, int4_tile<4, 2>}};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
