#include "quintet/io/formats/gguf.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "quintet/io/formats/byte_cursor.h"
#include "quintet/io/formats/gguf_blocks.h"
#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

constexpr uint32_t kMaxDimensions = 4;
constexpr int64_t kDefaultAlignment = 32;
constexpr int64_t kMaxAlignment = int64_t{1} << 30;
constexpr int64_t kMaxParts = 10'000;

struct PlainType {
  uint32_t ggml_type;
  DType dtype;
};
constexpr auto kPlainTypes = std::to_array<PlainType>({
    {0, DType::kF32},
    {1, DType::kF16},
    {24, DType::kI8},
    {25, DType::kI16},
    {26, DType::kI32},
    {27, DType::kI64},
    {28, DType::kF64},
    {30, DType::kBF16},
});

// The description of a tensor, before its bytes are looked for.
struct Described {
  std::string name;
  Shape shape;
  uint32_t type = 0;
  uint64_t offset = 0;
};

Result<Shape> read_shape(ByteCursor& in) {
  QT_TRY(const uint32_t rank, in.number<uint32_t>());
  if (rank < 1 || rank > kMaxDimensions) {
    return Error(Code::kCorrupt, "has " + std::to_string(rank) + " dimensions, expected 1 to 4");
  }
  Shape shape(rank);
  for (uint32_t i = rank; i-- > 0;) {
    QT_TRY(const uint64_t dimension, in.number<uint64_t>());
    if (dimension > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Error(Code::kCorrupt, "has a dimension of " + std::to_string(dimension));
    }
    shape[i] = static_cast<int64_t>(dimension);
  }
  return shape;
}

Result<Described> read_description(ByteCursor& in) {
  Described tensor;
  QT_TRY(const uint64_t length, in.number<uint64_t>());
  QT_TRY(const std::span<const std::byte> name, in.take(length));
  tensor.name = as_text(name);
  auto rest = [&]() -> Result<void> {
    QT_TRY(tensor.shape, read_shape(in));
    QT_TRY(tensor.type, in.number<uint32_t>());
    QT_TRY(tensor.offset, in.number<uint64_t>());
    return {};
  }();
  if (!rest) return std::move(rest).error().with("tensor " + in_quotes(tensor.name));
  return tensor;
}

Error unknown_type(uint32_t type) {
  return Error(Code::kUnsupported,
               "has elements of ggml's type " + std::to_string(type) +
                   ", which cannot be read: convert the model to one of F32, F16, BF16, Q8_0, "
                   "Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K");
}

// Where the bytes lie, and what they are; `layout` stays empty for row-major elements.
struct Placed {
  TensorRef tensor;
  std::string layout;
};

Result<Placed> place(const Described& described, std::span<const std::byte> data) {
  const BlockFormatInfo* block = block_format_by_type(described.type);
  const auto* plain = std::ranges::find(kPlainTypes, described.type, &PlainType::ggml_type);
  if (block == nullptr && plain == kPlainTypes.end()) return unknown_type(described.type);
  const std::string shape = shape_string(described.shape);
  const std::optional<uint64_t> size = block != nullptr
                                           ? block_tensor_bytes(block->format, described.shape)
                                           : tensor_bytes(plain->dtype, described.shape);
  if (!size) {
    const bool ragged = block != nullptr && described.shape.back() % block->values != 0;
    return Error(Code::kCorrupt, "has the shape " + shape +
                                     (ragged ? ", whose rows are not whole blocks of " +
                                                   std::to_string(block->values)
                                             : ", which needs more than 2^63 bytes"));
  }
  if (described.offset > data.size() || *size > data.size() - described.offset) {
    return Error(Code::kCorrupt, "needs " + std::to_string(*size) + " bytes from byte " +
                                     std::to_string(described.offset) + " of the data, which has " +
                                     std::to_string(data.size()));
  }
  const auto bytes = data.subspan(described.offset, *size);
  Placed placed;
  placed.tensor.bytes = bytes;
  if (block == nullptr) {
    placed.tensor.dtype = plain->dtype;
    placed.tensor.shape = described.shape;
  } else {
    placed.tensor.dtype = DType::kU8;
    placed.tensor.shape = {static_cast<int64_t>(*size)};
    placed.layout = std::string(block->name) + " " + shape;
  }
  return placed;
}

// The bytes after the table of tensors and the padding behind it.
Result<std::span<const std::byte>> data_of(std::span<const std::byte> bytes, size_t table_end,
                                           uint64_t alignment) {
  const uint64_t start = (table_end + alignment - 1) / alignment * alignment;
  if (start > bytes.size()) {
    return Error(Code::kCorrupt, "is cut: the data of its tensors would begin at byte " +
                                     std::to_string(start) + ", it has " +
                                     std::to_string(bytes.size()));
  }
  return bytes.subspan(start);
}

Result<uint64_t> alignment_of(const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "general.alignment";
  QT_TRY(const int64_t alignment, metadata.int_field(kKey, kDefaultAlignment));
  if (alignment < 1 || alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0) {
    return Error(Code::kCorrupt, "key " + in_quotes(kKey) + ": is " + std::to_string(alignment) +
                                     ", expected a power of two up to 2^30");
  }
  return static_cast<uint64_t>(alignment);
}

Result<void> add_tensors(const std::vector<Described>& table, std::span<const std::byte> data,
                         uint64_t alignment, WeightFile& out) {
  OverlapCheck overlaps;
  for (const Described& described : table) {
    const std::string context = "tensor " + in_quotes(described.name);
    if (described.offset % alignment != 0) {
      return Error(Code::kCorrupt, context + ": offset " + std::to_string(described.offset) +
                                       " is not a multiple of " + std::to_string(alignment));
    }
    QT_TRY(Placed placed, place(described, data).with(context));
    const uint64_t end = described.offset + placed.tensor.bytes.size();
    const auto [at, is_new] = out.tensors.emplace(described.name, std::move(placed.tensor));
    if (!is_new) {
      return Error(Code::kCorrupt, "the name " + in_quotes(described.name) + " stands twice");
    }
    if (!placed.layout.empty()) out.layouts.emplace(described.name, std::move(placed.layout));
    overlaps.add(described.offset, end, at->first);
  }
  return overlaps.finish();
}

Result<WeightFile> parse(std::span<const std::byte> bytes, std::string_view name) {
  ByteCursor in(bytes);
  QT_TRY(const GgufHeader header, GgufHeader::read(in, name));
  QT_TRY(const uint64_t alignment, alignment_of(header.metadata));
  if (header.tensor_count > kMaxTensors) {
    return Error(Code::kExhausted, "has " + std::to_string(header.tensor_count) +
                                       " tensors, the limit is " + std::to_string(kMaxTensors));
  }
  std::vector<Described> table;
  for (uint64_t i = 0; i < header.tensor_count; ++i) {
    QT_TRY(table.emplace_back(), read_description(in));
  }
  WeightFile out;
  out.format = "gguf";
  out.metadata = header.metadata.texts();
  out.metadata["gguf_version"] = std::to_string(header.version);
  if (table.empty()) return out;  // Nothing needs to follow then, not even padding.
  QT_TRY(const auto data, data_of(bytes, in.position(), alignment));
  QT_TRY_VOID(add_tensors(table, data, alignment, out));
  return out;
}

// "-00002-of-00003.gguf" at the end of the name of a part.
std::string part_suffix(int64_t part, int64_t parts) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "-%05lld-of-%05lld.gguf", static_cast<long long>(part),
                static_cast<long long>(parts));
  return text.data();
}

// Adds the tensors of the parts behind the first, which lie beside it.
Result<void> add_parts(const std::filesystem::path& first, int64_t parts, WeightFile& out) {
  const std::string name = first.filename().string();
  const std::string suffix = part_suffix(1, parts);
  if (!name.ends_with(suffix)) {
    return Error(Code::kInvalidArgument, first.string() + ": is the first of " +
                                             std::to_string(parts) +
                                             " parts, so its name must end with " + suffix);
  }
  const std::string stem = name.substr(0, name.size() - suffix.size());
  for (int64_t part = 2; part <= parts; ++part) {
    const std::filesystem::path path = first.parent_path() / (stem + part_suffix(part, parts));
    QT_TRY(auto file, MappedFile::open(path));
    QT_TRY(WeightFile more, parse_gguf(file->bytes(), path.string()));
    out.tensors.merge(more.tensors);
    out.layouts.merge(more.layouts);
    out.files.push_back(std::move(file));
    if (!more.tensors.empty()) {
      return Error(Code::kCorrupt, path.string() + ": the tensor " +
                                       in_quotes(more.tensors.begin()->first) +
                                       " stands in another part too");
    }
  }
  return {};
}

}  // namespace

Result<WeightFile> parse_gguf(std::span<const std::byte> bytes, std::string_view name) {
  return parse(bytes, name).with(name);
}

bool looks_gguf(const MappedFile& file) {
  return as_text(file.bytes()).starts_with("GGUF") || file.path().extension() == ".gguf";
}

Result<WeightFile> read_gguf(const std::shared_ptr<const MappedFile>& file) {
  const std::string name = file->path().string();
  QT_TRY(WeightFile out, parse_gguf(file->bytes(), name));
  out.files.push_back(file);
  QT_TRY(const GgufMetadata metadata, read_gguf_metadata(out));
  QT_TRY(const int64_t parts, metadata.int_field("split.count", 1));
  QT_TRY(const int64_t part, metadata.int_field("split.no", 0));
  if (parts <= 1) return out;
  if (part != 0 || parts > kMaxParts) {
    return Error(Code::kInvalidArgument, name + ": is one of " + std::to_string(parts) +
                                             " parts, expected the first of at most " +
                                             std::to_string(kMaxParts) +
                                             ", which finds the others");
  }
  QT_TRY_VOID(add_parts(file->path(), parts, out));
  return out;
}

}  // namespace quintet::io
