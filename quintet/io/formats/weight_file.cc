#include "quintet/io/formats/weight_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "quintet/core/check.h"
#include "quintet/io/formats/ct2.h"
#include "quintet/io/formats/gguf.h"
#include "quintet/io/formats/packed.h"
#include "quintet/io/formats/safetensors.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::io {
namespace {

constexpr size_t kPageBytes = 4096;

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

// Whether a file is one of several that its first part finds.
bool is_later_part(std::string_view name, std::string_view ending) {
  constexpr std::string_view kForm = "-00001-of-00001";  // Any digits.
  if (name.size() < kForm.size() + ending.size()) return false;
  const std::string_view part = name.substr(name.size() - ending.size() - kForm.size());
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool is_digit = part[i] >= '0' && part[i] <= '9';
    if (kForm[i] >= '0' && kForm[i] <= '9' ? !is_digit : part[i] != kForm[i]) return false;
  }
  constexpr std::string_view kFirst = "-00001-";
  return !part.starts_with(kFirst);
}

// The file in a folder whose name ends so, later parts aside; nullopt where there is none.
Result<std::optional<std::filesystem::path>> only_file_with(const std::filesystem::path& folder,
                                                            std::string_view ending) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(ending) && !is_later_part(name, ending)) found.push_back(entry->path());
  }
  if (error) return Error(Code::kIo, folder.string() + ": cannot be listed: " + error.message());
  std::ranges::sort(found);
  if (found.size() > 1) {
    return Error(Code::kInvalidArgument,
                 folder.string() + ": has " + in_quotes(found[0].filename().string()) + " and " +
                     in_quotes(found[1].filename().string()) + "; name the file that is meant");
  }
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Result<std::filesystem::path> find_in_folder(const std::filesystem::path& folder) {
  for (const Format& format : kFormats) {
    const std::string_view name = format.file_name;
    if (name.starts_with('*')) {
      QT_TRY(auto only, only_file_with(folder, name.substr(1)));
      if (only) return *std::move(only);
      continue;
    }
    std::error_code ignored;
    std::filesystem::path path = folder / name;
    if (std::filesystem::exists(path, ignored)) return path;
  }
  return Error(Code::kNotFound,
               folder.string() + ": no weights in this folder, expected one of " + known_names());
}

template <typename Stored, typename Convert>
void convert_all(std::span<const std::byte> bytes, float* out, Convert convert) {
  for (size_t i = 0; i < bytes.size() / sizeof(Stored); ++i) {
    out[i] = convert(load_le<Stored>(bytes, i * sizeof(Stored)));
  }
}

template <typename Stored>
void cast_all(std::span<const std::byte> bytes, float* out) {
  convert_all<Stored>(bytes, out, [](Stored x) { return static_cast<float>(x); });
}

// By the vector kernels, which want their input aligned: in pieces that stay in L1.
template <typename Stored, typename Convert>
void convert_in_pieces(std::span<const std::byte> bytes, float* out, Convert convert) {
  std::array<Stored, 2048> piece;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), sizeof(piece)));
    std::memcpy(piece.data(), part.data(), part.size());
    const size_t count = part.size() / sizeof(Stored);
    convert(piece.data(), out, static_cast<int64_t>(count));
    out += count;
    bytes = bytes.subspan(part.size());
  }
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

Result<AlignedBytes> WeightFile::read_into_memory(ThreadPool& pool) {
  QT_CHECK_EQ(files.size(), size_t{1});
  const MappedFile& file = *files.front();
  size_t begin = file.bytes().size();
  size_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto offset = static_cast<size_t>(tensor.bytes.data() - file.bytes().data());
    begin = std::min(begin, offset);
    end = std::max(end, offset + tensor.bytes.size());
  }
  begin -= begin % kPageBytes;  // Tensors keep their place within a page.
  AlignedBytes memory(begin < end ? end - begin : 0);

  // As large as a huge page, so that two threads do not wait for the same one to be cleared.
  constexpr size_t kBlock = size_t{2} << 20;
  std::mutex mutex;
  Result<void> result;
  pool.parallel_for(static_cast<int64_t>((memory.size() + kBlock - 1) / kBlock), [&](int64_t i) {
    const size_t at = static_cast<size_t>(i) * kBlock;
    const size_t size = std::min(kBlock, memory.size() - at);
    auto read = file.read(begin + at, {memory.data() + at, size});
    const std::lock_guard lock(mutex);
    if (!read) result = std::move(read);
  });
  QT_TRY_VOID(std::move(result));
  for (auto& [name, tensor] : tensors) {
    const auto offset = static_cast<size_t>(tensor.bytes.data() - file.bytes().data());
    tensor.bytes = {memory.data() + (offset - begin), tensor.bytes.size()};
  }
  return memory;
}

void WeightFile::release(std::span<const std::byte> bytes) const {
  for (const auto& file : files) {
    const std::span<const std::byte> all = file->bytes();
    const std::less_equal<const std::byte*> up_to;
    if (up_to(all.data(), bytes.data()) &&
        up_to(bytes.data() + bytes.size(), all.data() + all.size())) {
      file->release(bytes);
    }
  }
}

void to_f32(DType dtype, std::span<const std::byte> bytes, float* out) {
  switch (dtype) {
    case DType::kF32: return cast_all<float>(bytes, out);
    case DType::kF64: return cast_all<double>(bytes, out);
    case DType::kF16: return convert_in_pieces<uint16_t>(bytes, out, kernels::f16_to_f32_array);
    case DType::kBF16: return convert_in_pieces<bf16>(bytes, out, kernels::bf16_to_f32_array);
    case DType::kI8: return cast_all<int8_t>(bytes, out);
    case DType::kU8: return cast_all<uint8_t>(bytes, out);
    case DType::kI16: return cast_all<int16_t>(bytes, out);
    case DType::kI32: return cast_all<int32_t>(bytes, out);
    case DType::kI64: return cast_all<int64_t>(bytes, out);
    case DType::kBool:
      return convert_all<uint8_t>(bytes, out, [](uint8_t x) { return x != 0 ? 1.0f : 0.0f; });
  }
}

Result<std::vector<float>> to_f32(const TensorRef& tensor) {
  if (tensor_bytes(tensor.dtype, tensor.shape) != tensor.bytes.size()) {
    return Error(Code::kInvalidArgument, "a tensor of shape " + shape_string(tensor.shape) +
                                             " cannot have " + std::to_string(tensor.bytes.size()) +
                                             " bytes");
  }
  std::vector<float> out(static_cast<size_t>(element_count(tensor.shape)));
  to_f32(tensor.dtype, tensor.bytes, out.data());
  return out;
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
