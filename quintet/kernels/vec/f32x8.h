// The vocabulary of f32x4.h in AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "quintet/kernels/isa.h"

QT_ISA_BEGIN(QT_TARGET_AVX2)
namespace quintet::kernels::f32x8 {

using F32 = __m256;
constexpr int64_t kLanes = 8;

inline __m256i first_lanes(int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const auto bound = static_cast<int>(std::clamp<int64_t>(count, 0, kLanes));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(bound), index);
}

inline F32 broadcast(float x) { return _mm256_set1_ps(x); }
inline F32 load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, F32 x) { _mm256_storeu_ps(p, x); }
inline F32 load_first(const float* p, int64_t count, F32 fill) {
  const __m256i lanes = first_lanes(count);
  return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, lanes), _mm256_castsi256_ps(lanes));
}
inline void store_first(float* p, F32 x, int64_t count) {
  _mm256_maskstore_ps(p, first_lanes(count), x);
}
inline F32 add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
inline F32 subtract(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
inline F32 multiply(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
inline F32 divide(F32 a, F32 b) { return _mm256_div_ps(a, b); }
inline F32 square_root(F32 x) { return _mm256_sqrt_ps(x); }
inline F32 multiply_add(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
inline F32 maximum(F32 a, F32 b) { return _mm256_max_ps(a, b); }
inline F32 minimum(F32 a, F32 b) { return _mm256_min_ps(a, b); }
inline F32 where_less(F32 a, F32 b, F32 x, F32 y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
inline F32 scaled_from(F32 t, float limit, F32 x, F32 z) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(z), 23);
  const __m256i scaled = _mm256_add_epi32(_mm256_castps_si256(x), exponent);
  return _mm256_and_ps(_mm256_castsi256_ps(scaled),
                       _mm256_cmp_ps(t, _mm256_set1_ps(limit), _CMP_GE_OQ));
}
inline F32 from_i32(const int32_t* p) {
  return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void store_low_bytes(uint8_t* p, F32 x) {
  const __m256i low = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0xff));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
inline float sum_lanes(F32 x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float largest_lane(F32 x) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline uint32_t equal_lanes(F32 a, F32 b) {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
}

inline __m256i rounded_to_bf16(F32 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
}
inline F32 bf16_in_order(F32 a, F32 b) {
  const __m256i halves = _mm256_packus_epi32(_mm256_srli_epi32(rounded_to_bf16(a), 16),
                                             _mm256_srli_epi32(rounded_to_bf16(b), 16));
  return _mm256_castsi256_ps(_mm256_permute4x64_epi64(halves, _MM_SHUFFLE(3, 1, 2, 0)));
}
inline F32 bf16_pairs(F32 a, F32 b) {
  const __m256i low = _mm256_srli_epi32(rounded_to_bf16(a), 16);
  return _mm256_castsi256_ps(_mm256_blend_epi16(low, rounded_to_bf16(b), 0xaa));
}
inline void transpose(F32 (&x)[kLanes]) {
  F32 pairs[kLanes];
  for (int i = 0; i < kLanes; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
  }
  F32 quads[kLanes];  // quads[4 h + j]: columns j and j + 4 of rows 4 h ... 4 h + 3.
  for (int i = 0; i < kLanes; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      quads[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
  }
  for (int j = 0; j < 4; ++j) {
    x[j] = _mm256_permute2f128_ps(quads[j], quads[j + 4], 0x20);
    x[j + 4] = _mm256_permute2f128_ps(quads[j], quads[j + 4], 0x31);
  }
}

}  // namespace quintet::kernels::f32x8
QT_ISA_END
