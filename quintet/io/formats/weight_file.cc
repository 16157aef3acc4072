#include "quintet/io/formats/weight_file.h"

#include <array>
#include <span>
#include <system_error>
#include <utility>

#include "quintet/io/formats/ct2.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

struct Format {
  const char* file_name;
  bool (*recognises)(const MappedFile& file);
  Result<WeightFile> (*read)(const std::shared_ptr<const MappedFile>& file);
};

constexpr auto kFormats = std::to_array<Format>({
#define QT_WEIGHT_FORMAT(file_name, recognises, read) {file_name, recognises, read},
#include "quintet/io/formats/formats.inc"
#undef QT_WEIGHT_FORMAT
});

std::string known_names() {
  std::string names;
  for (const Format& format : kFormats) {
    if (!names.empty()) names += ", ";
    names += format.file_name;
  }
  return names;
}

Result<std::filesystem::path> find_in_folder(const std::filesystem::path& folder) {
  for (const Format& format : kFormats) {
    std::error_code ignored;
    std::filesystem::path path = folder / format.file_name;
    if (std::filesystem::exists(path, ignored)) return path;
  }
  return Error(Code::kNotFound,
               folder.string() + ": no weights in this folder, expected one of " + known_names());
}

template <typename Stored, typename Convert>
std::vector<float> convert_all(std::span<const std::byte> bytes, Convert convert) {
  std::vector<float> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = convert(load_le<Stored>(bytes, i * sizeof(Stored)));
  }
  return out;
}

template <typename Stored>
std::vector<float> cast_all(std::span<const std::byte> bytes) {
  return convert_all<Stored>(bytes, [](Stored x) { return static_cast<float>(x); });
}

}  // namespace

const TensorRef* WeightFile::find(std::string_view name) const {
  const auto place = tensors.find(name);
  return place == tensors.end() ? nullptr : &place->second;
}

Result<const TensorRef*> WeightFile::require(std::string_view name) const {
  if (const TensorRef* tensor = find(name)) return tensor;
  const std::string where = files.empty() ? "" : files.front()->path().string() + ": ";
  return Error(Code::kNotFound, where + "tensor " + in_quotes(name) + " is missing");
}

uint64_t WeightFile::file_bytes() const {
  uint64_t total = 0;
  for (const auto& file : files) total += file->bytes().size();
  return total;
}

Result<WeightFile> read_weights(const std::filesystem::path& file_or_folder) {
  std::filesystem::path path = file_or_folder;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    QT_TRY(path, find_in_folder(file_or_folder));
  }
  QT_TRY(const auto file, MappedFile::open(path));
  for (const Format& format : kFormats) {
    if (format.recognises(*file)) return format.read(file);
  }
  return Error(
      Code::kUnsupported,
      path.string() + ": not a weight file of a known format, expected one like " + known_names());
}

Result<std::vector<float>> to_f32(const TensorRef& tensor) {
  const std::span<const std::byte> bytes = tensor.bytes;
  if (tensor_bytes(tensor.dtype, tensor.shape) != bytes.size()) {
    return Error(Code::kInvalidArgument, "a tensor of shape " + shape_string(tensor.shape) +
                                             " cannot have " + std::to_string(bytes.size()) +
                                             " bytes");
  }
  switch (tensor.dtype) {
    case DType::kF32: return cast_all<float>(bytes);
    case DType::kF64: return cast_all<double>(bytes);
    case DType::kF16: return convert_all<uint16_t>(bytes, f16_to_f32);
    case DType::kBF16: return convert_all<bf16>(bytes, bf16_to_f32);
    case DType::kI8: return cast_all<int8_t>(bytes);
    case DType::kU8: return cast_all<uint8_t>(bytes);
    case DType::kI16: return cast_all<int16_t>(bytes);
    case DType::kI32: return cast_all<int32_t>(bytes);
    case DType::kI64: return cast_all<int64_t>(bytes);
    case DType::kBool:
      return convert_all<uint8_t>(bytes, [](uint8_t x) { return x != 0 ? 1.0f : 0.0f; });
  }
  return Error(Code::kInternal, "a tensor has an unknown element type");
}

Result<int64_t> scalar_int(const TensorRef& tensor) {
  const auto wrong = [&tensor] {
    return Error(Code::kCorrupt, "expected one integer, found " + shape_string(tensor.shape) +
                                     " of " + std::string(dtype_name(tensor.dtype)));
  };
  if (element_count(tensor.shape) != 1 ||
      tensor.bytes.size() != static_cast<size_t>(dtype_bytes(tensor.dtype))) {
    return wrong();
  }
  switch (tensor.dtype) {
    case DType::kI8: return int64_t{load_le<int8_t>(tensor.bytes, 0)};
    case DType::kU8: return int64_t{load_le<uint8_t>(tensor.bytes, 0)};
    case DType::kBool: return int64_t{load_le<uint8_t>(tensor.bytes, 0) != 0};
    case DType::kI16: return int64_t{load_le<int16_t>(tensor.bytes, 0)};
    case DType::kI32: return int64_t{load_le<int32_t>(tensor.bytes, 0)};
    case DType::kI64: return load_le<int64_t>(tensor.bytes, 0);
    case DType::kF32:
    case DType::kF64:
    case DType::kF16:
    case DType::kBF16: return wrong();
  }
  return wrong();
}

}  // namespace quintet::io
