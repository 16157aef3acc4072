#include "quintet/io/formats/packed.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic{"QUINTET\0", 8};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kLineBytes = 64;
constexpr uint64_t kLargeTensor = uint64_t{1} << 20;
constexpr uint64_t kMaxHeaderBytes = uint64_t{64} << 20;
constexpr JsonLimits kHeaderLimits = {
    .max_bytes = kMaxHeaderBytes, .max_depth = 8, .max_values = 5'000'000};

// The first bytes of a file; the JSON header follows, then zeros up to the next page, then data.
struct FixedHeader {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t flags;
  uint64_t header_bytes;     // Of the JSON header.
  uint64_t file_bytes;       // Of everything.
  uint64_t header_checksum;  // FNV-1a of the JSON header.
  std::array<uint64_t, 3> reserved;
};
static_assert(sizeof(FixedHeader) == 64);

constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr uint64_t alignment_of(uint64_t bytes) {
  return bytes >= kLargeTensor ? kPageBytes : kLineBytes;
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

Result<FixedHeader> read_fixed_header(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(FixedHeader)) {
    return Error(Code::kCorrupt,
                 "has " + std::to_string(bytes.size()) + " bytes, a packed model has at least 64");
  }
  const auto header = load_le<FixedHeader>(bytes, 0);
  if (std::string_view(header.magic.data(), header.magic.size()) != kMagic) {
    return Error(Code::kCorrupt, "does not start as a packed model of Quintet");
  }
  if (header.version != kVersion || header.flags != 0 ||
      std::ranges::any_of(header.reserved, [](uint64_t word) { return word != 0; })) {
    return Error(Code::kUnsupported, "packed version " + std::to_string(header.version) +
                                         " with flags " + std::to_string(header.flags) +
                                         " cannot be read, version 1 without flags can");
  }
  if (header.file_bytes != bytes.size()) {
    return Error(Code::kCorrupt, "has " + std::to_string(bytes.size()) +
                                     " bytes, but was written " + "with " +
                                     std::to_string(header.file_bytes));
  }
  const uint64_t most = std::min<uint64_t>(bytes.size() - sizeof(FixedHeader), kMaxHeaderBytes);
  if (header.header_bytes > most) {
    return Error(Code::kCorrupt, "the header's length is " + std::to_string(header.header_bytes) +
                                     ", at most " + std::to_string(most) + " is possible");
  }
  return header;
}

struct Placed {
  TensorRef tensor;
  uint64_t begin = 0;
  std::string layout;
};

Result<Placed> read_tensor(const json& fields, std::span<const std::byte> data) {
  if (!fields.is_object()) return Error(Code::kCorrupt, "is not described by an object");
  Placed placed;
  QT_TRY(const std::string type, string_field(fields, "dtype"));
  const std::optional<DType> dtype = dtype_from_name(type);
  if (!dtype) {
    return Error(Code::kUnsupported, "elements of type " + in_quotes(type) + " cannot be read");
  }
  QT_TRY(Shape shape, int_list_field(fields, "shape"));
  if (shape.size() > kMaxRank) {
    return Error(Code::kCorrupt, "has " + std::to_string(shape.size()) + " dimensions");
  }
  QT_TRY(const int64_t offset, int_field(fields, "offset"));
  QT_TRY(const int64_t length, int_field(fields, "bytes"));
  QT_TRY(placed.layout, string_field(fields, "layout", ""));
  if (offset < 0 || length < 0) return Error(Code::kCorrupt, "offset or bytes is negative");
  placed.begin = static_cast<uint64_t>(offset);
  const auto size = static_cast<uint64_t>(length);
  if (placed.begin % alignment_of(size) != 0) {
    return Error(Code::kCorrupt, "offset " + std::to_string(offset) + " is not a multiple of " +
                                     std::to_string(alignment_of(size)));
  }
  // The sum of two non-negative int64 fits uint64.
  QT_TRY(placed.tensor,
         tensor_in(data, *dtype, std::move(shape), placed.begin, placed.begin + size));
  return placed;
}

Result<void> check_layout(std::string_view layout, const TensorRef& tensor) {
  if (layout.empty() || (tensor.dtype == DType::kU8 && tensor.shape.size() == 1)) return {};
  return Error(Code::kCorrupt, "has the layout " + in_quotes(layout) +
                                   ", so its type must be U8 and " + "its shape [bytes]");
}

Result<void> read_tables(const json& header, std::span<const std::byte> data, WeightFile& out) {
  QT_TRY(const json* metadata, object_field(header, "metadata"));
  for (const auto& [key, value] : metadata->items()) {
    if (!value.is_string()) {
      return Error(Code::kCorrupt, "metadata of " + in_quotes(key) + " is not a string");
    }
    out.metadata.emplace(key, value.get<std::string>());
  }
  QT_TRY(const json* tensors, object_field(header, "tensors"));
  OverlapCheck overlaps;
  for (const auto& [name, fields] : tensors->items()) {
    const std::string context = "tensor " + in_quotes(name);
    QT_TRY(Placed placed, read_tensor(fields, data).with(context));
    QT_TRY_VOID(check_layout(placed.layout, placed.tensor).with(context));
    if (!placed.layout.empty()) out.layouts.emplace(name, std::move(placed.layout));
    const uint64_t end = placed.begin + placed.tensor.bytes.size();
    const auto place = out.tensors.emplace(name, std::move(placed.tensor)).first;
    overlaps.add(placed.begin, end, place->first);
  }
  return overlaps.finish();
}

Result<WeightFile> parse(std::span<const std::byte> bytes) {
  QT_TRY(const FixedHeader fixed, read_fixed_header(bytes));
  const std::string_view text = as_text(bytes.subspan(sizeof(FixedHeader), fixed.header_bytes));
  if (fnv1a(text) != fixed.header_checksum) {
    return Error(Code::kCorrupt, "the header does not match its checksum");
  }
  QT_TRY(const json header, parse_json(text, "header", kHeaderLimits));
  const uint64_t data_start =
      std::min<uint64_t>(round_up(sizeof(FixedHeader) + text.size(), kPageBytes), bytes.size());
  WeightFile out;
  out.format = "packed";
  QT_TRY_VOID(read_tables(header, bytes.subspan(data_start), out));
  return out;
}

// Where each entry goes, relative to the start of the data, and the JSON header that says so.
struct Plan {
  std::vector<uint64_t> offsets;
  uint64_t data_bytes = 0;
  std::string header;
};

Result<Plan> plan_file(const std::map<std::string, std::string, std::less<>>& metadata,
                       std::span<const PackedEntry> entries) {
  Plan plan;
  json tensors = json::object();
  for (const PackedEntry& entry : entries) {
    QT_TRY_VOID(check_entry(entry.name, entry.dtype, entry.shape, entry.bytes));
    if (!entry.layout.empty() && (entry.dtype != DType::kU8 || entry.shape.size() != 1)) {
      return Error(Code::kInvalidArgument, "tensor " + in_quotes(entry.name) +
                                               ": with a layout, its " +
                                               "type must be U8 and its shape [bytes]");
    }
    if (tensors.contains(entry.name)) {
      return Error(Code::kInvalidArgument, "tensor " + in_quotes(entry.name) + " stands twice");
    }
    const uint64_t offset = round_up(plan.data_bytes, alignment_of(entry.bytes.size()));
    json& fields = tensors[entry.name];
    fields = {{"dtype", dtype_name(entry.dtype)},
              {"shape", entry.shape},
              {"offset", offset},
              {"bytes", entry.bytes.size()}};
    if (!entry.layout.empty()) fields["layout"] = entry.layout;
    plan.offsets.push_back(offset);
    plan.data_bytes = offset + entry.bytes.size();
  }
  QT_TRY(plan.header, json_text({{"metadata", json(metadata)}, {"tensors", std::move(tensors)}}));
  if (plan.header.size() > kMaxHeaderBytes) {
    return Error(Code::kExhausted, "the header would be larger than 64 MiB");
  }
  return plan;
}

Result<void> write_zeros(const ByteSink& sink, uint64_t count) {
  static constexpr std::array<std::byte, kPageBytes> kZeros = {};
  QT_CHECK_LE(count, kZeros.size());
  return sink(std::span(kZeros).first(count));
}

}  // namespace

Result<WeightFile> parse_packed(std::span<const std::byte> bytes, std::string_view name) {
  return parse(bytes).with(name);
}

bool looks_packed(const MappedFile& file) {
  return file.path().extension() == ".qnt" || as_text(file.bytes()).starts_with(kMagic);
}

Result<WeightFile> read_packed(const std::shared_ptr<const MappedFile>& file) {
  QT_TRY(WeightFile out, parse_packed(file->bytes(), file->path().string()));
  out.files.push_back(file);
  return out;
}

Result<void> write_packed(const std::filesystem::path& path,
                          const std::map<std::string, std::string, std::less<>>& metadata,
                          std::span<const PackedEntry> entries) {
  QT_TRY(const Plan plan, plan_file(metadata, entries).with(path.string()));
  const uint64_t header_end = sizeof(FixedHeader) + plan.header.size();
  const uint64_t data_start = round_up(header_end, kPageBytes);
  std::array<FixedHeader, 1> fixed = {};
  kMagic.copy(fixed[0].magic.data(), kMagic.size());
  fixed[0].version = kVersion;
  fixed[0].header_bytes = plan.header.size();
  fixed[0].file_bytes = data_start + plan.data_bytes;
  fixed[0].header_checksum = fnv1a(plan.header);
  return write_file_atomically(path, [&](const ByteSink& sink) -> Result<void> {
    QT_TRY_VOID(sink(std::as_bytes(std::span(fixed))));
    QT_TRY_VOID(sink(as_bytes(plan.header)));
    QT_TRY_VOID(write_zeros(sink, data_start - header_end));
    uint64_t position = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
      QT_TRY_VOID(write_zeros(sink, plan.offsets[i] - position));
      QT_TRY_VOID(sink(entries[i].bytes));
      position = plan.offsets[i] + entries[i].bytes.size();
    }
    return {};
  });
}

}  // namespace quintet::io
