// Makes small GGUF files for tests, as they should be or not.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/formats/test_files.h"

namespace quintet::io::testing {

inline std::string gguf_string(std::string_view text) {
  return bytes_of(uint64_t{text.size()}) + std::string(text);
}

class GgufBuilder {
 public:
  uint32_t version = 3;
  // What the file claims; otherwise as many as were added.
  std::optional<uint64_t> tensor_count;
  std::optional<uint64_t> key_count;
  uint64_t alignment = 32;

  // A key with the bytes of its type and value as they are.
  GgufBuilder& raw(std::string_view key, std::string_view type_and_value) {
    keys_ += gguf_string(key) + std::string(type_and_value);
    ++added_keys_;
    return *this;
  }
  template <typename T>
  GgufBuilder& scalar(std::string_view key, GgufType type, T value) {
    return raw(key, bytes_of(type) + bytes_of(value));
  }
  GgufBuilder& u32(std::string_view key, uint32_t value) {
    return scalar(key, GgufType::kU32, value);
  }
  GgufBuilder& text(std::string_view key, std::string_view value) {
    return raw(key, bytes_of(GgufType::kString) + gguf_string(value));
  }
  template <typename T>
  GgufBuilder& list(std::string_view key, GgufType type, const std::vector<T>& values) {
    std::string bytes = list_head(type, values.size());
    for (const T value : values) bytes += bytes_of(value);
    return raw(key, bytes);
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes = list_head(GgufType::kString, values.size());
    for (const std::string& value : values) bytes += gguf_string(value);
    return raw(key, bytes);
  }
  static std::string list_head(GgufType type, uint64_t count) {
    return bytes_of(GgufType::kArray) + bytes_of(type) + bytes_of(count);
  }

  // Dimensions in the order of the file: the innermost first.
  GgufBuilder& tensor(std::string_view name, std::initializer_list<uint64_t> dimensions,
                      uint32_t type, uint64_t offset) {
    tensors_ += gguf_string(name) + bytes_of(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t dimension : dimensions) tensors_ += bytes_of(dimension);
    tensors_ += bytes_of(type) + bytes_of(offset);
    ++added_tensors_;
    return *this;
  }

  // The whole file, with `data` after the padding.
  std::string file(std::string_view data) const {
    std::string file = "GGUF" + bytes_of(version) +
                       bytes_of(tensor_count.value_or(added_tensors_)) +
                       bytes_of(key_count.value_or(added_keys_)) + keys_ + tensors_;
    file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
    return file + std::string(data);
  }

 private:
  std::string keys_;
  std::string tensors_;
  uint64_t added_keys_ = 0;
  uint64_t added_tensors_ = 0;
};

}  // namespace quintet::io::testing
