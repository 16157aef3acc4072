// What the fuzz targets of this folder do with tensors that a reader accepted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/check.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::io {

// Reads every byte of every tensor, and checks what a reader promises about shapes.
inline void use_all_tensors(const WeightFile& file) {
  constexpr size_t kSmall = 1 << 16;
  for (const auto& [name, tensor] : file.tensors) {
    QT_CHECK(tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size());
    uint8_t sum = 0;
    for (const std::byte byte : tensor.bytes) sum ^= static_cast<uint8_t>(byte);
    volatile uint8_t seen = sum;
    static_cast<void>(seen);
    if (tensor.bytes.size() <= kSmall) QT_CHECK(to_f32(tensor).has_value());
    static_cast<void>(scalar_int(tensor).has_value());
  }
}

}  // namespace quintet::io
