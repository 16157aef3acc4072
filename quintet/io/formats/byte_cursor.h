// A walk through the bytes of a file that stops at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "quintet/core/result.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {

class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : rest_(bytes), size_(bytes.size()) {}

  size_t position() const { return size_ - rest_.size(); }
  size_t left() const { return rest_.size(); }

  // The next bytes. Errors: kCorrupt where fewer are left.
  Result<std::span<const std::byte>> take(uint64_t count) {
    if (count > rest_.size()) {
      return Error(Code::kCorrupt, "is cut: " + std::to_string(count) + " bytes expected at byte " +
                                       std::to_string(position()) + ", " +
                                       std::to_string(rest_.size()) + " are there");
    }
    const std::span<const std::byte> taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  // The next little-endian number.
  template <typename T>
  Result<T> number() {
    QT_TRY(const std::span<const std::byte> bytes, take(sizeof(T)));
    return load_le<T>(bytes, 0);
  }

 private:
  std::span<const std::byte> rest_;
  size_t size_;
};

}  // namespace quintet::io
