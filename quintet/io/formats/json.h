// JSON files from outside, read with limits, and typed access to their fields without exceptions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

struct JsonLimits {
  uint64_t max_bytes = uint64_t{64} << 20;  // Length of the text.
  int max_depth = 64;                       // Objects and lists inside each other.
  int64_t max_values = 5'000'000;           // Objects, lists and scalars together.
};

// The document in `text`; `name` stands in front of every error.
// The limits hold while reading, so that memory stays bounded by them.
// Errors: kExhausted past a limit; kCorrupt if the text is not one JSON value in UTF-8 or if an
// object has the same key twice.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view name,
                                  const JsonLimits& limits = {});

// The same for a file. Errors also: kNotFound, kIo.
Result<nlohmann::json> read_json_file(const std::filesystem::path& path,
                                      const JsonLimits& limits = {});

// The text of `value` without white space. Errors: kInvalidArgument if a string is not UTF-8.
Result<std::string> json_text(const nlohmann::json& value);

// Fields of an object. Without a fallback the key must be there; with one, a missing key or null
// gives the fallback. A value of another type is an error (kCorrupt) in both cases; it names the
// key, what was expected and what was found. Integers must fit int64 and be written without a
// fraction; numbers may be either.
Result<int64_t> int_field(const nlohmann::json& object, std::string_view key);
Result<int64_t> int_field(const nlohmann::json& object, std::string_view key, int64_t fallback);
Result<double> number_field(const nlohmann::json& object, std::string_view key);
Result<double> number_field(const nlohmann::json& object, std::string_view key, double fallback);
Result<bool> bool_field(const nlohmann::json& object, std::string_view key);
Result<bool> bool_field(const nlohmann::json& object, std::string_view key, bool fallback);
Result<std::string> string_field(const nlohmann::json& object, std::string_view key);
Result<std::string> string_field(const nlohmann::json& object, std::string_view key,
                                 std::string_view fallback);
Result<std::vector<int64_t>> int_list_field(const nlohmann::json& object, std::string_view key);
Result<std::vector<int64_t>> int_list_field(const nlohmann::json& object, std::string_view key,
                                            const std::vector<int64_t>& fallback);
Result<std::vector<std::string>> string_list_field(const nlohmann::json& object,
                                                   std::string_view key);

// The object under `key`, inside `object` and living as long; never null.
Result<const nlohmann::json*> object_field(const nlohmann::json& object, std::string_view key);
// The same, or nullptr where the key is missing or null.
Result<const nlohmann::json*> optional_object_field(const nlohmann::json& object,
                                                    std::string_view key);

}  // namespace quintet::io
