// What the readers and writers of weight files share: names in messages, little-endian numbers and
// the checks of a table of tensors.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/core/tensor.h"

namespace quintet::io {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

// More than any model uses. They bound what a small hostile file can make a reader allocate.
inline constexpr size_t kMaxRank = 16;
inline constexpr size_t kMaxTensors = 1'000'000;

// `text` between quotes, safe in a one-line message whatever its bytes are, and not long.
std::string in_quotes(std::string_view text);

// The little-endian number at `offset`. REQUIRES: it lies inside `bytes`.
template <typename T>
T load_le(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Bytes of a row-major tensor; nullopt where a dimension is negative or the product does not fit.
std::optional<uint64_t> tensor_bytes(DType dtype, const Shape& shape);

// The tensor at [begin, end) of `data`. Errors: kCorrupt if the range is not inside `data` or its
// length is not that of the shape.
Result<TensorRef> tensor_in(std::span<const std::byte> data, DType dtype, Shape shape,
                            uint64_t begin, uint64_t end);

// A tensor to be written. The bytes are row-major, little-endian and of the length of the shape.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;
};

// Errors: kInvalidArgument if `bytes` is not the length of the shape.
Result<void> check_entry(std::string_view name, DType dtype, const Shape& shape,
                         std::span<const std::byte> bytes);

// Finds tensors that share bytes of a file.
class OverlapCheck {
 public:
  void add(uint64_t begin, uint64_t end, std::string_view name) {
    ranges_.push_back({begin, end, name});
  }
  // Errors: kCorrupt, naming two tensors that overlap. Empty tensors overlap with nothing.
  // REQUIRES: the names given to add() still live.
  Result<void> finish();

 private:
  struct Range {
    uint64_t begin;
    uint64_t end;
    std::string_view name;
  };
  std::vector<Range> ranges_;
};

}  // namespace quintet::io
