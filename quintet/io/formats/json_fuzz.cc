#include <cstddef>
#include <cstdint>

#include "quintet/core/check.h"
#include "quintet/io/formats/json.h"

namespace {

using quintet::io::parse_json;

void use_fields(const nlohmann::json& object) {
  for (const auto& [key, value] : object.items()) {
    static_cast<void>(quintet::io::int_field(object, key).has_value());
    static_cast<void>(quintet::io::int_field(object, key, 1).has_value());
    static_cast<void>(quintet::io::number_field(object, key).has_value());
    static_cast<void>(quintet::io::bool_field(object, key).has_value());
    static_cast<void>(quintet::io::string_field(object, key).has_value());
    static_cast<void>(quintet::io::int_list_field(object, key).has_value());
    static_cast<void>(quintet::io::string_list_field(object, key).has_value());
    static_cast<void>(quintet::io::object_field(object, key).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = parse_json(text, "input");
  if (!document) {
    QT_CHECK(document.error().message().find('\n') == std::string::npos);
    return 0;
  }
  // What is accepted is JSON for the library's own parser too, and means the same.
  QT_CHECK(*document == nlohmann::json::parse(text, nullptr, false));
  QT_CHECK(quintet::io::json_text(*document).has_value());
  use_fields(*document);
  static_cast<void>(
      parse_json(text, "input", {.max_bytes = 64, .max_depth = 3, .max_values = 9}).has_value());
  return 0;
}
