// Values as JSON, spaced as Python's json.dumps does it.
#pragma once

#include <optional>
#include <string>

#include "quintet/core/result.h"
#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

struct JsonStyle {
  bool ascii = false;  // Escapes all that is not ASCII.
  bool sort_keys = false;
  std::optional<std::string> indent;  // Of one level; one line where it is not set.
  std::string between_items = ", ";
  std::string after_key = ": ";
};

// Errors: kInvalidArgument where a value has no JSON; kExhausted.
Result<std::string> to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace quintet::io::templates
