// Element types of stored tensors, and the 16-bit floats that C++20 lacks.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quintet {

enum class DType : uint8_t { kF32, kF16, kBF16, kI8, kU8, kI16, kI32, kI64, kBool, kF64 };

constexpr int64_t dtype_bytes(DType type) {
  switch (type) {
    case DType::kF64:
    case DType::kI64: return 8;
    case DType::kF32:
    case DType::kI32: return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16: return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool: return 1;
  }
  return 0;
}

// The name as safetensors writes it ("F32", "BF16", ...).
std::string_view dtype_name(DType type);
std::optional<DType> dtype_from_name(std::string_view name);

// Brain float: the upper half of a float32.
struct bf16 {
  uint16_t bits;
};

constexpr float bf16_to_f32(bf16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

// Rounds to nearest even; NaN stays NaN.
constexpr bf16 bf16_from_f32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// IEEE binary16, as stored in checkpoints.
float f16_to_f32(uint16_t bits);
uint16_t f16_from_f32(float x);

}  // namespace quintet
