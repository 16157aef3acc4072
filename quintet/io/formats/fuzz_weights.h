// What the fuzz targets of this folder do with tensors that a reader accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

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

// Sets the length and the checksum of a packed file right, which a fuzzer does not guess.
inline void repair_packed(std::vector<uint8_t>& file) {
  constexpr size_t kHeaderBytesAt = 16;
  constexpr size_t kFileBytesAt = 24;
  constexpr size_t kChecksumAt = 32;
  constexpr size_t kFixedBytes = 64;
  if (file.size() < kFixedBytes) return;
  const uint64_t size = file.size();
  std::memcpy(file.data() + kFileBytesAt, &size, sizeof(size));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data() + kHeaderBytesAt, sizeof(header_bytes));
  if (header_bytes > size - kFixedBytes) return;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < header_bytes; ++i) {
    hash = (hash ^ file[kFixedBytes + i]) * uint64_t{0x100000001b3};
  }
  std::memcpy(file.data() + kChecksumAt, &hash, sizeof(hash));
}

}  // namespace quintet::io
