// The vocabulary of f32x4.h in AVX-512.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "quintet/kernels/isa.h"

QT_ISA_BEGIN(QT_TARGET_AVX512)
namespace quintet::kernels::f32x16 {

using F32 = __m512;
constexpr int64_t kLanes = 16;

inline __mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>((1u << std::clamp<int64_t>(count, 0, kLanes)) - 1u);
}

inline F32 broadcast(float x) { return _mm512_set1_ps(x); }
inline F32 load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F32 x) { _mm512_storeu_ps(p, x); }
inline F32 load_first(const float* p, int64_t count, F32 fill) {
  return _mm512_mask_loadu_ps(fill, first_lanes(count), p);
}
inline void store_first(float* p, F32 x, int64_t count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), x);
}
inline F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
inline F32 subtract(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
inline F32 multiply(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
inline F32 divide(F32 a, F32 b) { return _mm512_div_ps(a, b); }
inline F32 square_root(F32 x) { return _mm512_sqrt_ps(x); }
inline F32 multiply_add(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F32 maximum(F32 a, F32 b) { return _mm512_max_ps(a, b); }
inline F32 minimum(F32 a, F32 b) { return _mm512_min_ps(a, b); }
inline F32 where_less(F32 a, F32 b, F32 x, F32 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
inline F32 scaled_from(F32 t, float limit, F32 x, F32 z) {
  const __mmask16 kept = _mm512_cmp_ps_mask(t, _mm512_set1_ps(limit), _CMP_GE_OQ);
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(z), 23);
  return _mm512_castsi512_ps(_mm512_maskz_add_epi32(kept, _mm512_castps_si512(x), exponent));
}
inline F32 from_i32(const int32_t* p) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(p)); }
inline void store_low_bytes(uint8_t* p, F32 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_castps_si512(x)));
}
inline float sum_lanes(F32 x) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float largest_lane(F32 x) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline uint32_t equal_lanes(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }

inline __m512i rounded_to_bf16(F32 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  return _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), bits,
                              _mm512_set1_epi32(0x400000));
}
// vcvtne2ps2bf16 is not used here: it flushes subnormal values to zero.
inline F32 bf16_in_order(F32 a, F32 b) {
  // The upper half of each lane: 16-bit elements 1, 3, 5, ... of a and then of b.
  alignas(64) static constexpr uint16_t kUpperHalves[32] = {
      1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
      33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
  return _mm512_castsi512_ps(_mm512_permutex2var_epi16(
      rounded_to_bf16(a), _mm512_load_si512(kUpperHalves), rounded_to_bf16(b)));
}
inline F32 bf16_pairs(F32 a, F32 b) {
  const __m512i low = _mm512_srli_epi32(rounded_to_bf16(a), 16);
  return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaaaaaau, low, rounded_to_bf16(b)));
}
inline void transpose(F32 (&x)[kLanes]) {
  F32 pairs[kLanes];
  for (int i = 0; i < kLanes; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
  }
  F32 quads[kLanes];  // quads[4 h + j]: columns j, j + 4, j + 8, j + 12 of rows 4 h ... 4 h + 3.
  for (int i = 0; i < kLanes; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm512_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      quads[i + 2 * j + 1] = _mm512_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
  }
  for (int j = 0; j < 4; ++j) {
    const F32 left0 = _mm512_shuffle_f32x4(quads[j], quads[j + 4], 0x88);
    const F32 left8 = _mm512_shuffle_f32x4(quads[j + 8], quads[j + 12], 0x88);
    const F32 right0 = _mm512_shuffle_f32x4(quads[j], quads[j + 4], 0xdd);
    const F32 right8 = _mm512_shuffle_f32x4(quads[j + 8], quads[j + 12], 0xdd);
    x[j] = _mm512_shuffle_f32x4(left0, left8, 0x88);
    x[j + 8] = _mm512_shuffle_f32x4(left0, left8, 0xdd);
    x[j + 4] = _mm512_shuffle_f32x4(right0, right8, 0x88);
    x[j + 12] = _mm512_shuffle_f32x4(right0, right8, 0xdd);
  }
}

}  // namespace quintet::kernels::f32x16
QT_ISA_END
