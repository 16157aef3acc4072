#include "quintet/io/formats/ct2.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include "quintet/io/formats/byte_cursor.h"

namespace quintet::io {
namespace {

constexpr uint32_t kVersion = 6;
constexpr uint32_t kOldestVersion = 5;
// Any version that may ever be; other files that are called *.bin start with larger numbers.
constexpr uint32_t kMaxPlausibleVersion = 255;

// The position of a type is its number in the file.
constexpr std::array<DType, 6> kTypes = {DType::kF32, DType::kI8,  DType::kI16,
                                         DType::kI32, DType::kF16, DType::kBF16};

// A length of 16 bits that counts the NUL at the end, and the bytes.
Result<std::string> read_text(ByteCursor& in) {
  QT_TRY(const uint16_t length, in.number<uint16_t>());
  QT_TRY(const std::span<const std::byte> bytes, in.take(length));
  const std::string_view all = as_text(bytes);
  if (all.empty() || all.find('\0') != all.size() - 1) {
    return Error(Code::kCorrupt, "the name that ends at byte " + std::to_string(in.position()) +
                                     " does not end with its only NUL");
  }
  return std::string(all.substr(0, all.size() - 1));
}

Result<TensorRef> read_variable(ByteCursor& in) {
  QT_TRY(const uint8_t rank, in.number<uint8_t>());
  if (rank > kMaxRank) {
    return Error(Code::kCorrupt, "has " + std::to_string(rank) + " dimensions");
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    QT_TRY(const uint32_t dimension, in.number<uint32_t>());
    shape.push_back(dimension);
  }
  QT_TRY(const uint8_t type, in.number<uint8_t>());
  if (type >= kTypes.size()) {
    return Error(Code::kUnsupported,
                 "has elements of type " + std::to_string(type) + ", 0 to 5 are known");
  }
  QT_TRY(const uint32_t length, in.number<uint32_t>());
  QT_TRY(const std::span<const std::byte> bytes, in.take(length));
  return tensor_in(bytes, kTypes[type], std::move(shape), 0, length);
}

Result<void> add(WeightFile& out, std::string name, const TensorRef& tensor) {
  if (out.tensors.size() >= kMaxTensors) {
    return Error(Code::kExhausted,
                 "has more than " + std::to_string(kMaxTensors) + " tensors, the limit");
  }
  const auto [place, is_new] = out.tensors.try_emplace(std::move(name), tensor);
  if (!is_new) {
    return Error(Code::kCorrupt, "the name " + in_quotes(place->first) + " stands twice");
  }
  return {};
}

Result<void> read_aliases(ByteCursor& in, WeightFile& out) {
  QT_TRY(const uint32_t count, in.number<uint32_t>());
  for (uint32_t i = 0; i < count; ++i) {
    QT_TRY(std::string alias, read_text(in));
    QT_TRY(const std::string name, read_text(in));
    const TensorRef* tensor = out.find(name);
    if (tensor == nullptr) {
      return Error(Code::kCorrupt, "alias " + in_quotes(alias) + " names " + in_quotes(name) +
                                       ", which is not in the file");
    }
    QT_TRY_VOID(add(out, std::move(alias), *tensor));
  }
  return {};
}

Result<WeightFile> parse(std::span<const std::byte> bytes) {
  ByteCursor in(bytes);
  QT_TRY(const uint32_t version, in.number<uint32_t>());
  if (version < kOldestVersion || version > kVersion) {
    return Error(Code::kUnsupported, "CTranslate2 binary version " + std::to_string(version) +
                                         " cannot be read, 5 and 6 can: convert the model again");
  }
  WeightFile out;
  out.format = "ct2";
  out.metadata["binary_version"] = std::to_string(version);
  QT_TRY(out.metadata["spec_name"], read_text(in));
  QT_TRY(const uint32_t revision, in.number<uint32_t>());
  out.metadata["spec_revision"] = std::to_string(revision);
  QT_TRY(const uint32_t count, in.number<uint32_t>());
  for (uint32_t i = 0; i < count; ++i) {
    QT_TRY(std::string name, read_text(in));
    QT_TRY(const TensorRef tensor, read_variable(in).with("tensor " + in_quotes(name)));
    QT_TRY_VOID(add(out, std::move(name), tensor));
  }
  QT_TRY_VOID(read_aliases(in, out));
  if (in.left() != 0) {
    return Error(Code::kCorrupt, "has " + std::to_string(in.left()) +
                                     " bytes after its end at byte " +
                                     std::to_string(in.position()));
  }
  return out;
}

template <typename T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint16_t>(text.size() + 1));
  out.append(text);
  out.push_back('\0');
}

Result<void> check_name(std::string_view name, std::set<std::string_view>& names) {
  if (name.size() >= std::numeric_limits<uint16_t>::max() ||
      name.find('\0') != std::string_view::npos) {
    return Error(Code::kInvalidArgument, "name " + in_quotes(name) + " is too long or has a NUL");
  }
  if (!names.insert(name).second) {
    return Error(Code::kInvalidArgument, "the name " + in_quotes(name) + " stands twice");
  }
  return {};
}

Result<void> check_model(const Ct2Model& model) {
  std::set<std::string_view> names;
  QT_TRY_VOID(check_name(model.spec_name, names));
  names.clear();
  for (const TensorEntry& entry : model.entries) {
    QT_TRY_VOID(check_name(entry.name, names));
    QT_TRY_VOID(check_entry(entry.name, entry.dtype, entry.shape, entry.bytes));
    const auto fits = [](int64_t x) { return x <= std::numeric_limits<uint32_t>::max(); };
    if (std::ranges::find(kTypes, entry.dtype) == kTypes.end() ||
        !fits(static_cast<int64_t>(entry.bytes.size())) ||
        !std::ranges::all_of(entry.shape, fits)) {
      return Error(Code::kInvalidArgument, "tensor " + in_quotes(entry.name) +
                                               ": CTranslate2 files have neither elements of " +
                                               std::string(dtype_name(entry.dtype)) +
                                               " nor tensors of 4 GiB");
    }
  }
  for (const auto& [alias, name] : model.aliases) {
    if (!names.contains(name)) {
      return Error(Code::kInvalidArgument, "alias " + in_quotes(alias) + " names " +
                                               in_quotes(name) +
                                               ", which is not among the tensors");
    }
    QT_TRY_VOID(check_name(alias, names));
  }
  return {};
}

std::string variable_header(const TensorEntry& entry) {
  std::string out;
  put_text(out, entry.name);
  put(out, static_cast<uint8_t>(entry.shape.size()));
  for (const int64_t dimension : entry.shape) put(out, static_cast<uint32_t>(dimension));
  put(out, static_cast<uint8_t>(std::ranges::find(kTypes, entry.dtype) - kTypes.begin()));
  put(out, static_cast<uint32_t>(entry.bytes.size()));
  return out;
}

}  // namespace

Result<WeightFile> parse_ct2(std::span<const std::byte> bytes, std::string_view name) {
  return parse(bytes).with(name);
}

bool looks_ct2(const MappedFile& file) {
  return file.path().extension() == ".bin" && file.bytes().size() >= sizeof(uint32_t) &&
         load_le<uint32_t>(file.bytes(), 0) <= kMaxPlausibleVersion;
}

Result<WeightFile> read_ct2(const std::shared_ptr<const MappedFile>& file) {
  QT_TRY(WeightFile out, parse_ct2(file->bytes(), file->path().string()));
  out.files.push_back(file);
  return out;
}

Result<void> write_ct2(const std::filesystem::path& path, const Ct2Model& model) {
  QT_TRY_VOID(check_model(model).with(path.string()));
  return write_file_atomically(path, [&model](const ByteSink& sink) -> Result<void> {
    std::string text;
    put(text, kVersion);
    put_text(text, model.spec_name);
    put(text, model.spec_revision);
    put(text, static_cast<uint32_t>(model.entries.size()));
    for (const TensorEntry& entry : model.entries) {
      text += variable_header(entry);
      QT_TRY_VOID(sink(as_bytes(text)));
      QT_TRY_VOID(sink(entry.bytes));
      text.clear();
    }
    put(text, static_cast<uint32_t>(model.aliases.size()));
    for (const auto& [alias, name] : model.aliases) {
      put_text(text, alias);
      put_text(text, name);
    }
    return sink(as_bytes(text));
  });
}

}  // namespace quintet::io
