#include "quintet/io/formats/tensor_table.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace quintet::io {

std::string in_quotes(std::string_view text) {
  constexpr size_t kMaxShown = 120;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (text.size() > kMaxShown) out += "...";
  return out + "'";
}

std::optional<uint64_t> tensor_bytes(DType dtype, const Shape& shape) {
  const int64_t count = element_count(shape);
  const int64_t size = dtype_bytes(dtype);
  if (count < 0 || count > std::numeric_limits<int64_t>::max() / size) return std::nullopt;
  return static_cast<uint64_t>(count * size);
}

Result<TensorRef> tensor_in(std::span<const std::byte> data, DType dtype, Shape shape,
                            uint64_t begin, uint64_t end) {
  if (begin > end || end > data.size()) {
    return Error(Code::kCorrupt, "bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                                     " do not lie inside the " + std::to_string(data.size()) +
                                     " bytes of data");
  }
  const std::optional<uint64_t> expected = tensor_bytes(dtype, shape);
  if (!expected || *expected != end - begin) {
    return Error(Code::kCorrupt,
                 "has " + std::to_string(end - begin) + " bytes, but its shape " +
                     shape_string(shape) + " of " + std::string(dtype_name(dtype)) + " needs " +
                     (expected ? std::to_string(*expected) : std::string("more than 2^63")));
  }
  return TensorRef{dtype, std::move(shape), data.subspan(begin, end - begin)};
}

Result<void> check_entry(std::string_view name, DType dtype, const Shape& shape,
                         std::span<const std::byte> bytes) {
  const std::optional<uint64_t> expected = tensor_bytes(dtype, shape);
  if (expected && *expected == bytes.size() && shape.size() <= kMaxRank) return {};
  return Error(Code::kInvalidArgument, "tensor " + in_quotes(name) + ": " +
                                           std::to_string(bytes.size()) +
                                           " bytes do not fit its shape " + shape_string(shape) +
                                           " of " + std::string(dtype_name(dtype)));
}

Result<void> OverlapCheck::finish() {
  std::erase_if(ranges_, [](const Range& range) { return range.begin == range.end; });
  std::ranges::sort(ranges_, {}, &Range::begin);
  for (size_t i = 1; i < ranges_.size(); ++i) {
    if (ranges_[i].begin < ranges_[i - 1].end) {
      return Error(Code::kCorrupt, "tensors " + in_quotes(ranges_[i - 1].name) + " and " +
                                       in_quotes(ranges_[i].name) + " overlap");
    }
  }
  return {};
}

}  // namespace quintet::io
