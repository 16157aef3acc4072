#include "quintet/io/formats/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#include "quintet/core/check.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

constexpr int kSmallBlock = 32;   // Values of the plain formats.
constexpr int kSuperBlock = 256;  // Values of the K formats.

// In the order of the enumeration.
constexpr auto kFormats = std::to_array<BlockFormatInfo>({
    {BlockFormat::kQ8_0, "q8_0", 8, kSmallBlock, 34},
    {BlockFormat::kQ4_0, "q4_0", 2, kSmallBlock, 18},
    {BlockFormat::kQ4_1, "q4_1", 3, kSmallBlock, 20},
    {BlockFormat::kQ5_0, "q5_0", 6, kSmallBlock, 22},
    {BlockFormat::kQ5_1, "q5_1", 7, kSmallBlock, 24},
    {BlockFormat::kQ4_K, "q4_K", 12, kSuperBlock, 144},
    {BlockFormat::kQ5_K, "q5_K", 13, kSuperBlock, 176},
    {BlockFormat::kQ6_K, "q6_K", 14, kSuperBlock, 210},
});

const uint8_t* as_u8(const std::byte* bytes) { return reinterpret_cast<const uint8_t*>(bytes); }

float half_at(const uint8_t* bytes) {
  return f16_to_f32(static_cast<uint16_t>(bytes[0] | (bytes[1] << 8)));
}

// The values of a plain block before their step: an array, so that the compiler sees vectors.
using Values = std::array<uint8_t, kSmallBlock>;

// 16 bytes; their low halves are the first 16 values.
Values nibbles_of(const uint8_t* packed) {
  Values values;
  for (size_t i = 0; i < 16; ++i) {
    values[i] = packed[i] & 15;
    values[i + 16] = packed[i] >> 4;
  }
  return values;
}

// The same with a fifth bit each, in four bytes.
Values five_bits_of(const uint8_t* packed, const uint8_t* fifth) {
  Values values = nibbles_of(packed);
  const auto bits = load_le<uint32_t>(std::as_bytes(std::span(fifth, 4)), 0);
  for (size_t i = 0; i < kSmallBlock; ++i) {
    values[i] = static_cast<uint8_t>(values[i] | (bits >> i & 1) << 4);
  }
  return values;
}

// (value - zero) * step and value * step + minimum.
void scale_from(int zero, float step, const Values& values, float* out) {
  for (size_t i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(values[i] - zero) * step;
}
void scale_up(float minimum, float step, const Values& values, float* out) {
  for (size_t i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(values[i]) * step + minimum;
}

void decode_q8_0(const uint8_t* block, float* out) {
  const float step = half_at(block);
  const auto* values = reinterpret_cast<const int8_t*>(block + 2);
  for (int i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(values[i]) * step;
}

void decode_q4_0(const uint8_t* block, float* out) {
  scale_from(8, half_at(block), nibbles_of(block + 2), out);
}

void decode_q4_1(const uint8_t* block, float* out) {
  scale_up(half_at(block + 2), half_at(block), nibbles_of(block + 4), out);
}

void decode_q5_0(const uint8_t* block, float* out) {
  scale_from(16, half_at(block), five_bits_of(block + 6, block + 2), out);
}

void decode_q5_1(const uint8_t* block, float* out) {
  scale_up(half_at(block + 2), half_at(block), five_bits_of(block + 8, block + 4), out);
}

// Scale and minimum of 32 values: 6 bits each, of which the second four keep their upper two bits
// in those of the first four.
struct SixBits {
  int scale;
  int minimum;
};
SixBits six_bits(const uint8_t* packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  const int low = packed[group + 4];
  return {(low & 15) | (packed[group - 4] >> 6) << 4, low >> 4 | (packed[group] >> 6) << 4};
}

// step[g] and minimum[g] of the eight groups of 32: value = step * q - minimum.
struct Groups {
  std::array<float, 8> step;
  std::array<float, 8> minimum;
};
Groups groups_of(const uint8_t* block) {
  Groups groups;
  const float step = half_at(block);
  const float minimum = half_at(block + 2);
  for (int g = 0; g < 8; ++g) {
    const SixBits bits = six_bits(block + 4, g);
    groups.step[g] = step * static_cast<float>(bits.scale);
    groups.minimum[g] = minimum * static_cast<float>(bits.minimum);
  }
  return groups;
}

void decode_q4_k(const uint8_t* block, float* out) {
  const Groups groups = groups_of(block);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* packed = block + 16 + g / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = packed[i] >> (g % 2 * 4) & 15;
      out[g * 32 + i] = groups.step[g] * static_cast<float>(value) - groups.minimum[g];
    }
  }
}

void decode_q5_k(const uint8_t* block, float* out) {
  const Groups groups = groups_of(block);
  const uint8_t* fifth = block + 16;  // Bit g of byte i is that of value i of group g.
  for (int g = 0; g < 8; ++g) {
    const uint8_t* packed = block + 48 + g / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = (packed[i] >> (g % 2 * 4) & 15) | (fifth[i] >> g & 1) << 4;
      out[g * 32 + i] = groups.step[g] * static_cast<float>(value) - groups.minimum[g];
    }
  }
}

// Two halves of 128 values in four quarters of 32: the low four bits of quarters 0 and 2 share 32
// bytes, as those of 1 and 3; a byte of the upper bits holds two for each quarter.
void decode_q6_k(const uint8_t* block, float* out) {
  const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
  const float step = half_at(block + 208);
  for (int quarter = 0; quarter < 8; ++quarter) {
    const int half = quarter / 4;
    const int place = quarter % 4;
    const uint8_t* low = block + half * 64 + place % 2 * 32;
    const uint8_t* high = block + 128 + half * 32;
    for (int i = 0; i < 32; ++i) {
      const int bits = (low[i] >> (place / 2 * 4) & 15) | (high[i] >> (place * 2) & 3) << 4;
      const int8_t scale_of_16 = scales[quarter * 2 + (i < 16 ? 0 : 1)];
      const float scale = step * static_cast<float>(scale_of_16);
      out[quarter * 32 + i] = scale * static_cast<float>(bits - 32);
    }
  }
}

using Decode = void (*)(const uint8_t* block, float* out);

Decode decoder(BlockFormat format) {
  switch (format) {
    case BlockFormat::kQ8_0: return decode_q8_0;
    case BlockFormat::kQ4_0: return decode_q4_0;
    case BlockFormat::kQ4_1: return decode_q4_1;
    case BlockFormat::kQ5_0: return decode_q5_0;
    case BlockFormat::kQ5_1: return decode_q5_1;
    case BlockFormat::kQ4_K: return decode_q4_k;
    case BlockFormat::kQ5_K: return decode_q5_k;
    case BlockFormat::kQ6_K: return decode_q6_k;
  }
  QT_CHECK(false);
  return nullptr;
}

// The grids of one block, as many as it has groups of 32.
void grids_of(BlockFormat format, const uint8_t* block, Int4Grid* out) {
  if (format == BlockFormat::kQ4_0) {
    const float step = half_at(block);
    *out = {step, -8.0f * step};
  } else if (format == BlockFormat::kQ4_1) {
    *out = {half_at(block), half_at(block + 2)};
  } else {
    const Groups groups = groups_of(block);
    for (int g = 0; g < 8; ++g) out[g] = {groups.step[g], -groups.minimum[g]};
  }
}

// The blocks of some rows, one after the other.
struct BlockRange {
  const uint8_t* first;
  int64_t count;
};
BlockRange blocks_of(const BlockTensor& tensor, const BlockFormatInfo& info, int64_t first_row,
                     int64_t rows) {
  const int64_t row_blocks = tensor.shape.back() / info.values;
  const int64_t begin = first_row * row_blocks * info.bytes;
  const int64_t count = rows * row_blocks;
  QT_CHECK(first_row >= 0 && rows >= 0 &&
           begin + count * info.bytes <= static_cast<int64_t>(tensor.bytes.size()));
  return {as_u8(tensor.bytes.data() + begin), count};
}

// "[576, 1536]" as shape_string writes it; nullopt for anything else.
std::optional<Shape> shape_from(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  Shape shape;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  while (shape.size() < kMaxRank) {
    const auto [rest, error] = std::from_chars(at, end, shape.emplace_back());
    if (error != std::errc{}) return std::nullopt;
    if (rest == end) return shape;
    if (!std::string_view(rest, end).starts_with(", ")) return std::nullopt;
    at = rest + 2;
  }
  return std::nullopt;
}

}  // namespace

const BlockFormatInfo& block_format_info(BlockFormat format) {
  return kFormats[static_cast<size_t>(format)];
}

const BlockFormatInfo* block_format_by_type(uint32_t ggml_type) {
  const auto* found = std::ranges::find(kFormats, ggml_type, &BlockFormatInfo::ggml_type);
  return found == kFormats.end() ? nullptr : found;
}

std::optional<uint64_t> block_tensor_bytes(BlockFormat format, const Shape& shape) {
  const BlockFormatInfo& info = block_format_info(format);
  const int64_t count = element_count(shape);
  if (shape.empty() || count < 0 || shape.back() % info.values != 0) return std::nullopt;
  const int64_t blocks = count / info.values;
  if (blocks > std::numeric_limits<int64_t>::max() / info.bytes) return std::nullopt;
  return static_cast<uint64_t>(blocks * info.bytes);
}

Result<std::optional<BlockTensor>> block_tensor(const WeightFile& weights, std::string_view name) {
  QT_TRY(const TensorRef* tensor, weights.require(name));
  const auto layout = weights.layouts.find(name);
  if (layout == weights.layouts.end()) return std::optional<BlockTensor>();
  const std::string_view text = layout->second;
  const size_t space = std::min(text.find(' '), text.size());
  const auto* info = std::ranges::find(kFormats, text.substr(0, space), &BlockFormatInfo::name);
  const auto error = [&](Code code, const char* what) {
    return Error(code, "tensor " + in_quotes(name) + ": has the layout " + in_quotes(text) + what);
  };
  if (info == kFormats.end()) {
    return error(Code::kUnsupported, ", expected one of quantised blocks");
  }
  auto shape = shape_from(text.substr(std::min(space + 1, text.size())));
  if (!shape || block_tensor_bytes(info->format, *shape) != tensor->bytes.size()) {
    return error(Code::kCorrupt, ", which does not fit its bytes");
  }
  return std::optional(BlockTensor{info->format, *std::move(shape), tensor->bytes});
}

void block_rows_to_f32(const BlockTensor& tensor, int64_t first_row, int64_t rows, float* out) {
  const BlockFormatInfo& info = block_format_info(tensor.format);
  const BlockRange blocks = blocks_of(tensor, info, first_row, rows);
  const Decode decode = decoder(tensor.format);
  for (int64_t i = 0; i < blocks.count; ++i) {
    decode(blocks.first + i * info.bytes, out + i * info.values);
  }
}

bool block_int4_grids(const BlockTensor& tensor, int64_t first_row, int64_t rows, Int4Grid* out) {
  if (tensor.format != BlockFormat::kQ4_0 && tensor.format != BlockFormat::kQ4_1 &&
      tensor.format != BlockFormat::kQ4_K) {
    return false;
  }
  const BlockFormatInfo& info = block_format_info(tensor.format);
  const BlockRange blocks = blocks_of(tensor, info, first_row, rows);
  for (int64_t i = 0; i < blocks.count; ++i) {
    grids_of(tensor.format, blocks.first + i * info.bytes, out + i * (info.values / 32));
  }
  return true;
}

}  // namespace quintet::io
