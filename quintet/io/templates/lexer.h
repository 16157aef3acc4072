// Cuts a template into tokens. Source: Jinja 3.1, with trim_blocks and lstrip_blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/budget.h"

namespace quintet::io::templates {

struct Token {
  enum class Kind : uint8_t {
    kText,  // Outside the braces, white-space control applied.
    kOutputBegin,
    kOutputEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,  // Escapes are resolved.
    kInteger,
    kFloat,
    kOperator,
    kEnd,  // The last one.
  };
  Kind kind = Kind::kEnd;
  std::string text;
  int line = 1;
};

// Errors: kExhausted where the template is too long; kCorrupt. They begin with "name:line: ".
Result<std::vector<Token>> tokenize(std::string_view source, std::string_view name,
                                    const TemplateLimits& limits);

}  // namespace quintet::io::templates
