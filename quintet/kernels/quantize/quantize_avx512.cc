#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/isa.h"
#include "quintet/kernels/quantize/quantize_kernels.h"

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX512)

namespace {

// Lanes [i, n) of a vector of 16 that starts at i.
__mmask16 lanes(int64_t i, int64_t n) {
  return n - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (n - i)) - 1);
}

float max_abs_avx512(const float* x, int64_t n) {
  __m512 a = _mm512_setzero_ps();
  __m512 b = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    a = _mm512_max_ps(a, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
    b = _mm512_max_ps(b, _mm512_abs_ps(_mm512_loadu_ps(x + i + 16)));
  }
  for (; i < n; i += 16) {
    a = _mm512_max_ps(a, _mm512_abs_ps(_mm512_maskz_loadu_ps(lanes(i, n), x + i)));
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(a, b));
}

int32_t quantize_avx512(const float* x, int64_t n, float inverse_scale, int8_t* q) {
  const __m512 scale = _mm512_set1_ps(inverse_scale);
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = lanes(i, n);
    const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
    const __m512i rounded = _mm512_cvtps_epi32(scaled);
    sum = _mm512_add_epi32(sum, rounded);
    _mm_mask_storeu_epi8(q + i, mask, _mm512_cvtepi32_epi8(rounded));
  }
  return _mm512_reduce_add_epi32(sum);
}

void f32_to_bf16_avx512(const float* x, bf16* y, int64_t n) {
  // In integers: vcvtneps2bf16 would flush subnormals.
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = lanes(i, n);
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i high = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
    const __m512i quiet_nan = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i result = _mm512_mask_mov_epi32(rounded, nan, quiet_nan);
    _mm256_mask_storeu_epi16(y + i, mask, _mm512_cvtepi32_epi16(result));
  }
}

void bf16_to_f32_avx512(const bf16* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = lanes(i, n);
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x + i));
    _mm512_mask_storeu_epi32(y + i, mask, _mm512_slli_epi32(wide, 16));
  }
}

void f16_to_f32_avx512(const uint16_t* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = lanes(i, n);
    _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
  }
}

}  // namespace

QT_ISA_END

const QuantizeKernels& quantize_kernels_avx512() {
  static constexpr QuantizeKernels kKernels = {"avx512",           max_abs_avx512,
                                               quantize_avx512,    f32_to_bf16_avx512,
                                               bf16_to_f32_avx512, f16_to_f32_avx512};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
