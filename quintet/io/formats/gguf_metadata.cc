#include "quintet/io/formats/gguf_metadata.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "quintet/core/check.h"

namespace quintet::io {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kOldestVersion = 2;
constexpr uint32_t kVersion = 3;
constexpr uint32_t kTypeCount = 13;
// Models have less than a hundred.
constexpr uint64_t kMaxKeys = 100'000;
constexpr uint64_t kMaxKeyBytes = 65535;
constexpr uint64_t kMaxShown = 16;
// The least that a key with its value takes, and a tensor's description.
constexpr uint64_t kLeastKeyBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;

// Of one value; 0 where its length varies.
uint64_t bytes_of(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64: return 8;
    case GgufType::kString:
    case GgufType::kArray: return 0;
  }
  return 0;
}

bool is_integer(GgufType type) {
  return bytes_of(type) > 0 && type != GgufType::kF32 && type != GgufType::kF64 &&
         type != GgufType::kBool;
}

bool is_number(GgufType type) {
  return is_integer(type) || type == GgufType::kF32 || type == GgufType::kF64;
}

// Element `i` of values of a fixed length, as T; nullopt for an integer past int64.
template <typename T>
std::optional<T> number_at(GgufType type, std::span<const std::byte> bytes, uint64_t i) {
  const size_t at = static_cast<size_t>(i * bytes_of(type));
  switch (type) {
    case GgufType::kU8:
    case GgufType::kBool: return static_cast<T>(load_le<uint8_t>(bytes, at));
    case GgufType::kI8: return static_cast<T>(load_le<int8_t>(bytes, at));
    case GgufType::kU16: return static_cast<T>(load_le<uint16_t>(bytes, at));
    case GgufType::kI16: return static_cast<T>(load_le<int16_t>(bytes, at));
    case GgufType::kU32: return static_cast<T>(load_le<uint32_t>(bytes, at));
    case GgufType::kI32: return static_cast<T>(load_le<int32_t>(bytes, at));
    case GgufType::kI64: return static_cast<T>(load_le<int64_t>(bytes, at));
    case GgufType::kF32: return static_cast<T>(load_le<float>(bytes, at));
    case GgufType::kF64: return static_cast<T>(load_le<double>(bytes, at));
    case GgufType::kU64: {
      const auto value = load_le<uint64_t>(bytes, at);
      constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
      if (std::is_integral_v<T> && value > kMost) return std::nullopt;
      return static_cast<T>(value);
    }
    case GgufType::kString:
    case GgufType::kArray: break;
  }
  QT_CHECK(false);
  return std::nullopt;
}

// Shortest digits that give the value back.
template <typename T, typename... Format>
std::string digits(T value, Format... format) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format...).ptr;
  return {text.data(), end};
}

// A length of 64 bits and the bytes.
Result<std::string_view> read_string(ByteCursor& in) {
  QT_TRY(const uint64_t length, in.number<uint64_t>());
  QT_TRY(const std::span<const std::byte> bytes, in.take(length));
  return as_text(bytes);
}

// Calls f for each string of a list whose bytes were checked.
template <typename F>
void for_each_string(std::span<const std::byte> bytes, F f) {
  ByteCursor in(bytes);
  while (in.left() > 0) f(*read_string(in));
}

std::string scalar_text(GgufType type, std::span<const std::byte> bytes, uint64_t i) {
  constexpr auto kGeneral = std::chars_format::general;
  switch (type) {
    case GgufType::kBool: return load_le<uint8_t>(bytes, i) != 0 ? "true" : "false";
    case GgufType::kF32: return digits(load_le<float>(bytes, i * sizeof(float)), kGeneral);
    case GgufType::kF64: return digits(load_le<double>(bytes, i * sizeof(double)), kGeneral);
    case GgufType::kU64: return digits(load_le<uint64_t>(bytes, i * sizeof(uint64_t)));
    default: return digits(*number_at<int64_t>(type, bytes, i));
  }
}

Result<void> check_count(const char* what, uint64_t count, uint64_t least_bytes,
                         const ByteCursor& in) {
  const uint64_t most = in.left() / least_bytes;
  if (count <= most) return {};
  return Error(Code::kCorrupt, "claims " + std::to_string(count) + " " + what + ", at most " +
                                   std::to_string(most) + " fit the bytes that follow");
}

Result<void> check_version(uint32_t version) {
  if (version >= kOldestVersion && version <= kVersion) return {};
  if (version > 0 && (version & 0xffffu) == 0) {
    return Error(Code::kUnsupported, "is a big-endian GGUF file, only little-endian can be read");
  }
  return Error(Code::kUnsupported, "GGUF version " + std::to_string(version) +
                                       " cannot be read, 2 and 3 can: convert the model again");
}

}  // namespace

Result<GgufMetadata::Value> GgufMetadata::read_value(ByteCursor& in) {
  Value value;
  QT_TRY(uint32_t type, in.number<uint32_t>());
  if (type == static_cast<uint32_t>(GgufType::kArray)) {
    value.is_list = true;
    QT_TRY(type, in.number<uint32_t>());
    QT_TRY(value.count, in.number<uint64_t>());
  }
  if (type >= kTypeCount) {
    return Error(Code::kCorrupt,
                 "has a value of type " + std::to_string(type) + ", 0 to 12 are known");
  }
  value.type = static_cast<GgufType>(type);
  if (value.type == GgufType::kArray) {
    return Error(Code::kUnsupported, "is a list of lists, which cannot be read");
  }
  if (value.type == GgufType::kString) {
    if (value.is_list) QT_TRY_VOID(check_count("strings", value.count, sizeof(uint64_t), in));
    ByteCursor start = in;
    for (uint64_t i = 0; i < value.count; ++i) QT_TRY_VOID(read_string(in));
    QT_TRY(value.bytes, start.take(in.position() - start.position()));
    return value;
  }
  const uint64_t size = bytes_of(value.type);
  if (value.is_list) QT_TRY_VOID(check_count("values", value.count, size, in));
  QT_TRY(value.bytes, in.take(value.count * size));
  if (value.type == GgufType::kBool) {
    for (const std::byte byte : value.bytes) {
      if (byte > std::byte{1}) return Error(Code::kCorrupt, "has a boolean other than 0 and 1");
    }
  }
  return value;
}

Result<GgufHeader> GgufHeader::read(ByteCursor& in, std::string_view name) {
  GgufHeader header;
  header.metadata.name_ = name;
  QT_TRY(const std::span<const std::byte> magic, in.take(kMagic.size()));
  if (as_text(magic) != kMagic) return Error(Code::kCorrupt, "does not start as a GGUF file");
  QT_TRY(header.version, in.number<uint32_t>());
  QT_TRY_VOID(check_version(header.version));
  QT_TRY(header.tensor_count, in.number<uint64_t>());
  QT_TRY(const uint64_t key_count, in.number<uint64_t>());
  QT_TRY_VOID(check_count("tensors", header.tensor_count, kLeastTensorBytes, in));
  QT_TRY_VOID(check_count("keys", key_count, kLeastKeyBytes, in));
  if (key_count > kMaxKeys) {
    return Error(Code::kExhausted, "has " + std::to_string(key_count) + " keys, the limit is " +
                                       std::to_string(kMaxKeys));
  }
  for (uint64_t i = 0; i < key_count; ++i) {
    QT_TRY(const std::string_view key, read_string(in).with("key " + std::to_string(i)));
    if (key.empty() || key.size() > kMaxKeyBytes) {
      return Error(Code::kCorrupt, "key " + std::to_string(i) + " has " +
                                       std::to_string(key.size()) + " bytes, expected 1 to 65535");
    }
    auto value = GgufMetadata::read_value(in);
    if (!value) return std::move(value).error().with("key " + in_quotes(key));
    if (!header.metadata.values_.emplace(key, *value).second) {
      return Error(Code::kCorrupt, "the key " + in_quotes(key) + " stands twice");
    }
  }
  QT_TRY_VOID(check_count("tensors", header.tensor_count, kLeastTensorBytes, in));
  return header;
}

Result<GgufMetadata> read_gguf_metadata(const WeightFile& weights) {
  if (weights.format != "gguf" || weights.files.empty()) {
    return Error(Code::kInvalidArgument,
                 "weights of the format '" + weights.format + "' have no metadata of a GGUF file");
  }
  const auto& file = weights.files.front();
  const std::string name = file->path().string();
  ByteCursor in(file->bytes());
  QT_TRY(GgufHeader header, GgufHeader::read(in, name).with(name));
  header.metadata.file_ = file;
  return std::move(header.metadata);
}

std::string GgufMetadata::kind_of(const Value& value) {
  std::string kind = "an integer";
  std::string kinds = "integers";
  if (value.type == GgufType::kString) {
    kind = "a string";
    kinds = "strings";
  } else if (value.type == GgufType::kBool) {
    kind = "a boolean";
    kinds = "booleans";
  } else if (!is_integer(value.type)) {
    kind = "a number";
    kinds = "numbers";
  }
  return value.is_list ? "a list of " + kinds : kind;
}

Result<const GgufMetadata::Value*> GgufMetadata::require(std::string_view key) const {
  const auto found = values_.find(key);
  if (found != values_.end()) return &found->second;
  return Error(Code::kNotFound, name_ + ": key " + in_quotes(key) + " is missing");
}

Error GgufMetadata::wrong_type(std::string_view key, std::string_view expected) const {
  return Error(Code::kCorrupt, name_ + ": key " + in_quotes(key) + ": expected " +
                                   std::string(expected) + ", found " +
                                   kind_of(values_.find(key)->second));
}

std::vector<std::string_view> GgufMetadata::keys() const {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

Result<int64_t> GgufMetadata::int_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (value->is_list || !is_integer(value->type)) return wrong_type(key, "an integer");
  const auto number = number_at<int64_t>(value->type, value->bytes, 0);
  if (!number) return wrong_type(key, "an integer below 2^63");
  return *number;
}

Result<double> GgufMetadata::number_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (value->is_list || !is_number(value->type)) return wrong_type(key, "a number");
  return *number_at<double>(value->type, value->bytes, 0);
}

Result<bool> GgufMetadata::bool_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (value->is_list || value->type != GgufType::kBool) return wrong_type(key, "a boolean");
  return load_le<uint8_t>(value->bytes, 0) != 0;
}

Result<std::string_view> GgufMetadata::string_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (value->is_list || value->type != GgufType::kString) return wrong_type(key, "a string");
  return as_text(value->bytes.subspan(sizeof(uint64_t)));
}

Result<int64_t> GgufMetadata::int_field(std::string_view key, int64_t fallback) const {
  return has(key) ? int_field(key) : fallback;
}

Result<double> GgufMetadata::number_field(std::string_view key, double fallback) const {
  return has(key) ? number_field(key) : fallback;
}

Result<bool> GgufMetadata::bool_field(std::string_view key, bool fallback) const {
  return has(key) ? bool_field(key) : fallback;
}

Result<std::string_view> GgufMetadata::string_field(std::string_view key,
                                                    std::string_view fallback) const {
  return has(key) ? string_field(key) : fallback;
}

Result<std::vector<std::string_view>> GgufMetadata::string_list_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (!value->is_list || value->type != GgufType::kString) {
    return wrong_type(key, "a list of strings");
  }
  std::vector<std::string_view> out;
  out.reserve(value->count);
  for_each_string(value->bytes, [&out](std::string_view text) { out.push_back(text); });
  return out;
}

Result<std::vector<int64_t>> GgufMetadata::int_list_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (!value->is_list || !(is_integer(value->type) || value->type == GgufType::kBool)) {
    return wrong_type(key, "a list of integers");
  }
  std::vector<int64_t> out(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto number = number_at<int64_t>(value->type, value->bytes, i);
    if (!number) return wrong_type(key, "integers below 2^63");
    out[i] = *number;
  }
  return out;
}

Result<std::vector<float>> GgufMetadata::float_list_field(std::string_view key) const {
  QT_TRY(const Value* value, require(key));
  if (!value->is_list || !is_number(value->type)) return wrong_type(key, "a list of numbers");
  std::vector<float> out(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    out[i] = *number_at<float>(value->type, value->bytes, i);
  }
  return out;
}

std::string GgufMetadata::text_of(const Value& value) {
  std::vector<std::string> texts;
  if (value.type == GgufType::kString) {
    for_each_string(value.bytes, [&texts](std::string_view text) { texts.emplace_back(text); });
  } else {
    for (uint64_t i = 0; i < value.count; ++i) {
      texts.push_back(scalar_text(value.type, value.bytes, i));
    }
  }
  if (!value.is_list) return std::move(texts.front());
  std::string joined = "[";
  for (size_t i = 0; i < texts.size(); ++i) joined += (i > 0 ? ", " : "") + texts[i];
  return joined + "]";
}

std::map<std::string, std::string, std::less<>> GgufMetadata::texts() const {
  std::map<std::string, std::string, std::less<>> texts;
  for (const auto& [key, value] : values_) {
    if (value.count <= kMaxShown) texts.emplace(key, text_of(value));
  }
  return texts;
}

}  // namespace quintet::io
