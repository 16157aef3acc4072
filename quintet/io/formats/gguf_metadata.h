// What a GGUF file says about itself: the typed keys that stand before its tensors.
// Source: the description of GGUF, versions 2 and 3, in the documentation of the ggml project.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/core/result.h"
#include "quintet/io/formats/byte_cursor.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::io {

// Type of a value; the numbers are those in the file.
enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// Values stay in the file; what read_gguf_metadata gives keeps it mapped.
// Errors of all fields: kNotFound where the key is missing, kCorrupt where its value is of another
// type or does not fit; they name file and key. With a fallback, a missing key is none.
// Threads: const methods are safe concurrently.
class GgufMetadata {
 public:
  bool has(std::string_view key) const { return values_.contains(key); }
  // In the order of their names. Valid as long as the file's bytes.
  std::vector<std::string_view> keys() const;

  // Integers of any width.
  Result<int64_t> int_field(std::string_view key) const;
  Result<int64_t> int_field(std::string_view key, int64_t fallback) const;
  // Floats and integers.
  Result<double> number_field(std::string_view key) const;
  Result<double> number_field(std::string_view key, double fallback) const;
  Result<bool> bool_field(std::string_view key) const;
  Result<bool> bool_field(std::string_view key, bool fallback) const;
  // Views of the file's bytes; they need not be UTF-8.
  Result<std::string_view> string_field(std::string_view key) const;
  Result<std::string_view> string_field(std::string_view key, std::string_view fallback) const;
  Result<std::vector<std::string_view>> string_list_field(std::string_view key) const;
  // Integers of any width; booleans give 0 and 1.
  Result<std::vector<int64_t>> int_list_field(std::string_view key) const;
  // Floats and integers.
  Result<std::vector<float>> float_list_field(std::string_view key) const;

  // Scalars, and lists of at most 16 values, as text for people.
  std::map<std::string, std::string, std::less<>> texts() const;

 private:
  friend struct GgufHeader;
  friend Result<GgufMetadata> read_gguf_metadata(const WeightFile& weights);

  struct Value {
    GgufType type = GgufType::kU8;  // Of each element where it is a list; never kArray.
    bool is_list = false;
    uint64_t count = 1;
    std::span<const std::byte> bytes;  // Checked: they hold `count` values of the type.
  };

  static Result<Value> read_value(ByteCursor& in);
  static std::string kind_of(const Value& value);
  static std::string text_of(const Value& value);

  Result<const Value*> require(std::string_view key) const;
  Error wrong_type(std::string_view key, std::string_view expected) const;

  std::string name_;  // Of the file, for errors.
  std::map<std::string_view, Value> values_;
  std::shared_ptr<const MappedFile> file_;
};

// Everything before the table of tensors.
struct GgufHeader {
  uint32_t version = 0;
  uint64_t tensor_count = 0;  // A claim of the file, at most what its bytes can hold.
  GgufMetadata metadata;

  // Leaves `in`, which stands at the start of the file, at the table; `name` is the file's, for the
  // errors of the fields. Errors: kUnsupported for other versions and lists of lists; kExhausted
  // for absurdly many keys; kCorrupt if the bytes are cut, repeat a key or contradict the format.
  static Result<GgufHeader> read(ByteCursor& in, std::string_view name);
};

// The metadata of a GGUF file that read_weights has accepted; where it is split, those of the first
// part. Errors: kInvalidArgument for a file of another format.
Result<GgufMetadata> read_gguf_metadata(const WeightFile& weights);

}  // namespace quintet::io
