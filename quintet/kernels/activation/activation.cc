#include "quintet/kernels/activation/activation.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quintet/core/cpu.h"
#include "quintet/kernels/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// gelu(x) = max(x, 0) - a * Phi(-a) with a = |x|, and Phi(-a) = 1/2 - a * R(a^2) for a < 5. R is a
// polynomial in s = 2 a^2 / 25 - 1: the interpolation of (1/2 - Phi(-a)) / a at the 13 Chebyshev
// nodes, computed with 40 digits. Its error reaches 2.5e-7 of max(1, a); beyond 5 the second term
// is left out, Phi(-5) being 2.9e-7. So large values come out exactly as x or 0. No division, no
// exp.

namespace quintet::kernels {
namespace {

constexpr float kLimit = 5.0f;
constexpr float kScale = 2.0f / (kLimit * kLimit);
constexpr std::array<float, 13> kPoly = {
    0.141363805f,   -0.0702959372f,  0.0515189416f,  -0.0404507113f, 0.031464872f,
    -0.0232163442f, 0.0162870702f,   -0.0112997434f, 0.00666780895f, -0.00253432234f,
    0.00146263157f, -0.00167403098f, 0.00070595299f};

void gelu_base(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    const float a = std::fabs(v);
    const float s = a * a * kScale - 1.0f;
    float r = kPoly.back();
    for (size_t j = kPoly.size() - 1; j-- > 0;) r = r * s + kPoly[j];
    const float tail = a * (0.5f - a * r);
    x[i] = (v < 0.0f ? 0.0f : v) - (a < kLimit ? tail : 0.0f);
  }
}

#if defined(__x86_64__)

QT_ISA_BEGIN(QT_TARGET_AVX2)

__m256 gelu_avx2(__m256 v) {
  const __m256 a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
  const __m256 s = _mm256_fmsub_ps(_mm256_mul_ps(a, a), _mm256_set1_ps(kScale), _mm256_set1_ps(1));
  __m256 r = _mm256_set1_ps(kPoly.back());
  for (size_t j = kPoly.size() - 1; j-- > 0;) r = _mm256_fmadd_ps(r, s, _mm256_set1_ps(kPoly[j]));
  const __m256 tail = _mm256_mul_ps(a, _mm256_fnmadd_ps(a, r, _mm256_set1_ps(0.5f)));
  const __m256 near = _mm256_cmp_ps(a, _mm256_set1_ps(kLimit), _CMP_LT_OQ);
  // In this order of operands a NaN passes through.
  const __m256 positive = _mm256_max_ps(_mm256_setzero_ps(), v);
  return _mm256_sub_ps(positive, _mm256_and_ps(near, tail));
}

void gelu_avx2(float* x, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(x + i, gelu_avx2(_mm256_loadu_ps(x + i)));
  if (i == n) return;
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n - i)), lanes);
  _mm256_maskstore_ps(x + i, mask, gelu_avx2(_mm256_maskload_ps(x + i, mask)));
}

QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX512)

__m512 gelu_avx512(__m512 v) {
  const __m512 a = _mm512_abs_ps(v);
  const __m512 s = _mm512_fmsub_ps(_mm512_mul_ps(a, a), _mm512_set1_ps(kScale), _mm512_set1_ps(1));
  __m512 r = _mm512_set1_ps(kPoly.back());
  for (size_t j = kPoly.size() - 1; j-- > 0;) r = _mm512_fmadd_ps(r, s, _mm512_set1_ps(kPoly[j]));
  const __m512 tail = _mm512_mul_ps(a, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(0.5f)));
  const __mmask16 near = _mm512_cmp_ps_mask(a, _mm512_set1_ps(kLimit), _CMP_LT_OQ);
  const __m512 positive = _mm512_max_ps(_mm512_setzero_ps(), v);
  return _mm512_mask_sub_ps(positive, near, positive, tail);
}

void gelu_avx512(float* x, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(x + i, gelu_avx512(_mm512_loadu_ps(x + i)));
  if (i == n) return;
  const auto mask = static_cast<__mmask16>((1u << (n - i)) - 1);
  _mm512_mask_storeu_ps(x + i, mask, gelu_avx512(_mm512_maskz_loadu_ps(mask, x + i)));
}

QT_ISA_END

#endif

}  // namespace

void gelu(float* x, int64_t n) {
#if defined(__x86_64__)
  const Isa isa = active_isa();
  if (isa >= Isa::kAvx512) return gelu_avx512(x, n);
  if (isa >= Isa::kAvx2) return gelu_avx2(x, n);
#endif
  gelu_base(x, n);
}

}  // namespace quintet::kernels
