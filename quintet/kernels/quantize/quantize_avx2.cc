#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>

#include "quintet/kernels/isa.h"
#include "quintet/kernels/quantize/quantize_kernels.h"

// AVX2 has no masks for bytes and 16-bit words: the last n % 8 values go one by one, with the same
// roundings.

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX2)

namespace {

float max_abs_avx2(const float* x, int64_t n) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 max = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    max = _mm256_max_ps(max, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  }
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  half = _mm_max_ss(half, _mm_movehdup_ps(half));
  float result = _mm_cvtss_f32(half);
  for (; i < n; ++i) {
    const float a = std::fabs(x[i]);
    if (a > result) result = a;
  }
  return result;
}

int32_t quantize_avx2(const float* x, int64_t n, float inverse_scale, int8_t* q) {
  const __m256 scale = _mm256_set1_ps(inverse_scale);
  __m256i sums = _mm256_setzero_si256();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i rounded = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale));
    sums = _mm256_add_epi32(sums, rounded);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(q + i), _mm_packs_epi16(words, words));
  }
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
  int32_t sum = _mm_cvtsi128_si32(half) + _mm_extract_epi32(half, 1);
  for (; i < n; ++i) {
    const int32_t rounded = _mm_cvtss_si32(_mm_set_ss(x[i] * inverse_scale));
    q[i] = static_cast<int8_t>(rounded);
    sum += rounded;
  }
  return sum;
}

void f32_to_bf16_avx2(const float* x, bf16* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet_nan = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i result = _mm256_blendv_epi8(rounded, quiet_nan, nan);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(y + i),
        _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1)));
  }
  for (; i < n; ++i) y[i] = bf16_from_f32(x[i]);
}

void bf16_to_f32_avx2(const bf16* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), wide);
  }
  for (; i < n; ++i) y[i] = bf16_to_f32(x[i]);
}

void f16_to_f32_avx2(const uint16_t* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(words));
  }
  for (; i < n; ++i) y[i] = f16_to_f32(x[i]);
}

}  // namespace

QT_ISA_END

const QuantizeKernels& quantize_kernels_avx2() {
  static constexpr QuantizeKernels kKernels = {"avx2",           max_abs_avx2,     quantize_avx2,
                                               f32_to_bf16_avx2, bf16_to_f32_avx2, f16_to_f32_avx2};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
