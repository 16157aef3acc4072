// Vectors of four floats in the compilers' portable vector syntax. The same names stand in f32x8.h
// (AVX2) and f32x16.h (AVX-512), each in its own namespace: a kernel written once over them is
// included into each namespace in turn.
// `count` may be any number: below 1 nothing is touched, from kLanes on all lanes are.
// Differs from the others in one point: multiply_add rounds twice.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace quintet::kernels::f32x4 {

using F32 __attribute__((vector_size(16))) = float;
using U32 __attribute__((vector_size(16))) = uint32_t;
using I32 __attribute__((vector_size(16))) = int32_t;
constexpr int64_t kLanes = 4;

inline F32 broadcast(float x) { return F32{x, x, x, x}; }
inline F32 load(const float* p) {
  F32 x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}
inline void store(float* p, F32 x) { std::memcpy(p, &x, sizeof(x)); }
// The first `count` lanes from memory, the others from `fill`.
inline F32 load_first(const float* p, int64_t count, F32 fill) {
  for (int64_t i = 0; i < std::min(count, kLanes); ++i) fill[i] = p[i];
  return fill;
}
inline void store_first(float* p, F32 x, int64_t count) {
  for (int64_t i = 0; i < std::min(count, kLanes); ++i) p[i] = x[i];
}
inline F32 add(F32 a, F32 b) { return a + b; }
inline F32 subtract(F32 a, F32 b) { return a - b; }
inline F32 multiply(F32 a, F32 b) { return a * b; }
inline F32 divide(F32 a, F32 b) { return a / b; }
inline F32 square_root(F32 x) {
  for (int i = 0; i < kLanes; ++i) x[i] = std::sqrt(x[i]);
  return x;
}
inline F32 multiply_add(F32 a, F32 b, F32 c) { return a * b + c; }
inline F32 maximum(F32 a, F32 b) { return a > b ? a : b; }
inline F32 minimum(F32 a, F32 b) { return a < b ? a : b; }
// x where a < b, y elsewhere.
inline F32 where_less(F32 a, F32 b, F32 x, F32 y) { return a < b ? x : y; }
// x * 2^n where t >= limit, zero elsewhere. n is the integer in the low bits of z; the product must
// be a normal number.
inline F32 scaled_from(F32 t, float limit, F32 x, F32 z) {
  const U32 scaled = reinterpret_cast<U32>(x) + (reinterpret_cast<U32>(z) << 23);
  return reinterpret_cast<F32>(scaled & reinterpret_cast<U32>(t >= broadcast(limit)));
}
// kLanes integers, as floats.
inline F32 from_i32(const int32_t* p) {
  I32 x;
  std::memcpy(&x, p, sizeof(x));
  return __builtin_convertvector(x, F32);
}
// The lowest byte of each lane's bits.
inline void store_low_bytes(uint8_t* p, F32 x) {
  const U32 bits = reinterpret_cast<U32>(x);
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<uint8_t>(bits[i]);
}
inline float sum_lanes(F32 x) { return (x[0] + x[2]) + (x[1] + x[3]); }
inline float largest_lane(F32 x) { return std::max(std::max(x[0], x[2]), std::max(x[1], x[3])); }
// Bit i is set where lane i of a equals lane i of b.
inline uint32_t equal_lanes(F32 a, F32 b) {
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= uint32_t{a[i] == b[i]} << i;
  return bits;
}

// Each float rounded to bfloat16 (nearest even, NaN stays NaN), in the upper half of its lane.
inline U32 rounded_to_bf16(F32 x) {
  const U32 bits = reinterpret_cast<U32>(x);
  const U32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : rounded;
}
// bfloat16 values of a and then b in their order, two to a lane.
inline F32 bf16_in_order(F32 a, F32 b) {
  const U32 x = rounded_to_bf16(a);
  const U32 y = rounded_to_bf16(b);
  const U32 low = {x[0] >> 16, x[2] >> 16, y[0] >> 16, y[2] >> 16};
  const U32 high = {x[1], x[3], y[1], y[3]};
  return reinterpret_cast<F32>(low | (high & 0xffff0000u));
}
// Lane i: bfloat16 of a[i] in the lower half, of b[i] in the upper.
inline F32 bf16_pairs(F32 a, F32 b) {
  return reinterpret_cast<F32>((rounded_to_bf16(a) >> 16) | (rounded_to_bf16(b) & 0xffff0000u));
}
// Lane j of x[i] changes place with lane i of x[j]. Moves bits only.
inline void transpose(F32 (&x)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) {
      const float moved = x[i][j];
      x[i][j] = x[j][i];
      x[j][i] = moved;
    }
  }
}

}  // namespace quintet::kernels::f32x4
