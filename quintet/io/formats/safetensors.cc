#include "quintet/io/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "quintet/io/formats/json.h"

namespace quintet::io {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // The limit of the reference reader.
constexpr JsonLimits kHeaderLimits = {
    .max_bytes = kMaxHeaderBytes, .max_depth = 8, .max_values = 5'000'000};
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr size_t kMaxShards = 4096;

Result<std::string_view> header_text(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    return Error(Code::kCorrupt, "has " + std::to_string(bytes.size()) +
                                     " bytes, a safetensors file has at least 8");
  }
  const auto length = load_le<uint64_t>(bytes, 0);
  const uint64_t most = std::min<uint64_t>(bytes.size() - kLengthBytes, kMaxHeaderBytes);
  if (length > most) {
    return Error(Code::kCorrupt, "the header's length is " + std::to_string(length) + ", at most " +
                                     std::to_string(most) + " is possible");
  }
  return as_text(bytes.subspan(kLengthBytes, length));
}

Result<void> read_metadata(const json& fields, WeightFile& out) {
  if (!fields.is_object()) {
    return Error(Code::kCorrupt, "__metadata__ is not an object of strings");
  }
  for (const auto& [key, value] : fields.items()) {
    if (!value.is_string()) {
      return Error(Code::kCorrupt, "__metadata__ of " + in_quotes(key) + " is not a string");
    }
    out.metadata.emplace(key, value.get<std::string>());
  }
  return {};
}

struct Range {
  uint64_t begin;
  uint64_t end;
};

Result<Range> read_offsets(const json& fields) {
  const auto place = fields.find("data_offsets");
  if (place == fields.end() || !place->is_array() || place->size() != 2 ||
      !(*place)[0].is_number_unsigned() || !(*place)[1].is_number_unsigned()) {
    return Error(Code::kCorrupt, "data_offsets is not a pair of integers from 0 on");
  }
  return Range{(*place)[0].get<uint64_t>(), (*place)[1].get<uint64_t>()};
}

Result<TensorRef> read_tensor(const json& fields, std::span<const std::byte> data, Range& range) {
  if (!fields.is_object()) return Error(Code::kCorrupt, "is not described by an object");
  QT_TRY(const std::string type, string_field(fields, "dtype"));
  const std::optional<DType> dtype = dtype_from_name(type);
  if (!dtype) {
    return Error(Code::kUnsupported, "elements of type " + in_quotes(type) + " cannot be read");
  }
  QT_TRY(Shape shape, int_list_field(fields, "shape"));
  if (shape.size() > kMaxRank) {
    return Error(Code::kCorrupt, "has " + std::to_string(shape.size()) + " dimensions");
  }
  QT_TRY(range, read_offsets(fields));
  return tensor_in(data, *dtype, std::move(shape), range.begin, range.end);
}

Result<WeightFile> parse(std::span<const std::byte> bytes) {
  QT_TRY(const std::string_view text, header_text(bytes));
  QT_TRY(const json header, parse_json(text, "header", kHeaderLimits));
  if (!header.is_object()) return Error(Code::kCorrupt, "the header is not a JSON object");
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text.size());
  WeightFile out;
  out.format = "safetensors";
  OverlapCheck overlaps;
  for (const auto& [name, fields] : header.items()) {
    if (name == kMetadataKey) {
      QT_TRY_VOID(read_metadata(fields, out));
      continue;
    }
    Range range{};
    QT_TRY(TensorRef tensor, read_tensor(fields, data, range).with("tensor " + in_quotes(name)));
    const auto place = out.tensors.emplace(name, std::move(tensor)).first;
    overlaps.add(range.begin, range.end, place->first);
  }
  QT_TRY_VOID(overlaps.finish());
  return out;
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

// Tensor names by shard.
using WeightMap = std::map<std::string, std::vector<std::string>, std::less<>>;

Result<WeightMap> read_weight_map(const json& index) {
  QT_TRY(const json* names, object_field(index, "weight_map"));
  WeightMap shards;
  for (const auto& [tensor, shard] : names->items()) {
    if (!shard.is_string()) {
      return Error(Code::kCorrupt, "weight_map of " + in_quotes(tensor) + " is not a file name");
    }
    const auto& file_name = shard.get_ref<const std::string&>();
    if (!is_plain_file_name(file_name)) {
      return Error(Code::kCorrupt, "weight_map of " + in_quotes(tensor) + " is " +
                                       in_quotes(file_name) +
                                       ", expected a file name inside the folder");
    }
    shards[file_name].push_back(tensor);
    if (shards.size() > kMaxShards) {
      return Error(Code::kExhausted,
                   "names more than " + std::to_string(kMaxShards) + " shards, the limit");
    }
  }
  return shards;
}

// The JSON header of a file with these tensors one after the other.
Result<std::string> header_for(std::span<const TensorEntry* const> entries,
                               const std::map<std::string, std::string, std::less<>>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  uint64_t offset = 0;
  for (const TensorEntry* entry : entries) {
    QT_TRY_VOID(check_entry(entry->name, entry->dtype, entry->shape, entry->bytes));
    if (entry->name == kMetadataKey || header.contains(entry->name)) {
      return Error(Code::kInvalidArgument,
                   "tensor " + in_quotes(entry->name) + ": the name stands twice or is reserved");
    }
    const uint64_t end = offset + entry->bytes.size();
    header[entry->name] = {{"dtype", dtype_name(entry->dtype)},
                           {"shape", entry->shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  QT_TRY(std::string text, json_text(header));
  text.resize((text.size() + 7) / 8 * 8, ' ');  // Keeps the data aligned to 8 bytes.
  if (text.size() > kMaxHeaderBytes) {
    return Error(Code::kExhausted, "the header would be larger than 100 MB");
  }
  return text;
}

}  // namespace

Result<WeightFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view name) {
  return parse(bytes).with(name);
}

bool looks_safetensors(const MappedFile& file) {
  if (file.path().extension() == ".safetensors") return true;
  const std::span<const std::byte> bytes = file.bytes();
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == std::byte{'{'} &&
         load_le<uint64_t>(bytes, 0) <= kMaxHeaderBytes;
}

Result<WeightFile> read_safetensors(const std::shared_ptr<const MappedFile>& file) {
  QT_TRY(WeightFile out, parse_safetensors(file->bytes(), file->path().string()));
  out.files.push_back(file);
  return out;
}

bool looks_safetensors_index(const MappedFile& file) {
  return file.path().filename().string().ends_with(kIndexSuffix);
}

Result<WeightFile> read_safetensors_index(const std::shared_ptr<const MappedFile>& file) {
  const std::string name = file->path().string();
  QT_TRY(const json index, parse_json(as_text(file->bytes()), name));
  QT_TRY(const WeightMap shards, read_weight_map(index).with(name));
  WeightFile out;
  out.format = "safetensors";
  for (const auto& [shard_name, tensors] : shards) {
    const std::filesystem::path path = file->path().parent_path() / shard_name;
    QT_TRY(const auto mapped, MappedFile::open(path));
    QT_TRY(WeightFile shard, read_safetensors(mapped));
    for (const std::string& tensor : tensors) {
      const TensorRef* found = shard.find(tensor);
      if (found == nullptr) {
        return Error(Code::kCorrupt, path.string() + ": lacks the tensor " + in_quotes(tensor) +
                                         " that the index places there");
      }
      out.tensors.emplace(tensor, *found);
    }
    out.metadata.merge(shard.metadata);
    out.files.push_back(std::move(shard.files.front()));
  }
  return out;
}

Result<void> write_safetensors(const std::filesystem::path& path,
                               std::span<const TensorEntry> entries,
                               const std::map<std::string, std::string, std::less<>>& metadata) {
  std::vector<const TensorEntry*> ordered;
  for (const TensorEntry& entry : entries) ordered.push_back(&entry);
  std::ranges::sort(ordered, [](const TensorEntry* a, const TensorEntry* b) {
    const int64_t size_a = dtype_bytes(a->dtype);
    const int64_t size_b = dtype_bytes(b->dtype);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });
  QT_TRY(const std::string header, header_for(ordered, metadata).with(path.string()));
  return write_file_atomically(path, [&](const ByteSink& sink) -> Result<void> {
    const std::array<uint64_t, 1> length = {header.size()};
    QT_TRY_VOID(sink(std::as_bytes(std::span(length))));
    QT_TRY_VOID(sink(as_bytes(header)));
    for (const TensorEntry* entry : ordered) QT_TRY_VOID(sink(entry->bytes));
    return {};
  });
}

}  // namespace quintet::io
