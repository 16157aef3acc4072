#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/gemv/int4_kernels.h"
#include "quintet/kernels/isa.h"

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX2)

namespace avx2 {
namespace {

struct V {
  using Int = __m256i;
  using Float = __m256;
  static constexpr int64_t kLanes = 8;

  static Int load(const std::byte* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Int low_nibbles(Int v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
  static Int high_nibbles(Int v) { return low_nibbles(_mm256_srli_epi16(v, 4)); }
  static Int word(const int8_t* x) { return _mm256_broadcastd_epi32(_mm_loadu_si32(x)); }
  // Sums of 16 bits over a group: at most 8 pairs of 2 * 15 * 127, which fit.
  static Int start(int32_t) { return _mm256_setzero_si256(); }
  static Int add_products(Int sum, Int w, Int x) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x));
  }
  static Float finish(Int sum, int32_t shift) {
    const Int wide = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, _mm256_set1_epi32(shift)));
  }
  static Float low_bf16(Int v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
  static Float high_bf16(Int v) {
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)));
  }
  static Float zero() { return _mm256_setzero_ps(); }
  static Float broadcast(float x) { return _mm256_set1_ps(x); }
  static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static void store(float* p, Float x) { _mm256_storeu_ps(p, x); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"

}  // namespace
}  // namespace avx2

QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX_VNNI)

namespace avx_vnni {
namespace {

struct V : avx2::V {
  static Int start(int32_t shift) { return _mm256_set1_epi32(-shift); }
  static Int add_products(Int sum, Int w, Int x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
  static Float finish(Int sum, int32_t) { return _mm256_cvtepi32_ps(sum); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"

}  // namespace
}  // namespace avx_vnni

QT_ISA_END

const Int4Kernels& int4_kernels_avx2() {
  static constexpr Int4Kernels kKernels = {
      "i4 avx2",
      {avx2::int4_tile<1, 4>, avx2::int4_tile<2, 2>, avx2::int4_tile<3, 1>, avx2::int4_tile<4, 1>}};
  return kKernels;
}

const Int4Kernels& int4_kernels_avx_vnni() {
  static constexpr Int4Kernels kKernels = {"i4 avx_vnni",
                                           {avx_vnni::int4_tile<1, 4>, avx_vnni::int4_tile<2, 2>,
                                            avx_vnni::int4_tile<3, 1>, avx_vnni::int4_tile<4, 1>}};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
