#include "quintet/engine/decode/schema_keywords.h"

#include <array>
#include <utility>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::decode {
namespace {

constexpr std::array<std::pair<std::string_view, KeywordGroup>, 32> kKeywords = {{
    {"$schema", KeywordGroup::kAnnotation},
    {"$id", KeywordGroup::kAnnotation},
    {"$comment", KeywordGroup::kAnnotation},
    {"$defs", KeywordGroup::kAnnotation},
    {"definitions", KeywordGroup::kAnnotation},
    {"title", KeywordGroup::kAnnotation},
    {"description", KeywordGroup::kAnnotation},
    {"default", KeywordGroup::kAnnotation},
    {"examples", KeywordGroup::kAnnotation},
    {"deprecated", KeywordGroup::kAnnotation},
    {"readOnly", KeywordGroup::kAnnotation},
    {"writeOnly", KeywordGroup::kAnnotation},
    {"$ref", KeywordGroup::kCombining},
    {"allOf", KeywordGroup::kCombining},
    {"anyOf", KeywordGroup::kCombining},
    {"oneOf", KeywordGroup::kCombining},
    {"type", KeywordGroup::kType},
    {"enum", KeywordGroup::kValues},
    {"const", KeywordGroup::kValues},
    {"properties", KeywordGroup::kObject},
    {"required", KeywordGroup::kObject},
    {"additionalProperties", KeywordGroup::kObject},
    {"items", KeywordGroup::kArray},
    {"prefixItems", KeywordGroup::kArray},
    {"minItems", KeywordGroup::kArray},
    {"maxItems", KeywordGroup::kArray},
    {"minLength", KeywordGroup::kString},
    {"maxLength", KeywordGroup::kString},
    {"minimum", KeywordGroup::kNumber},
    {"maximum", KeywordGroup::kNumber},
    {"exclusiveMinimum", KeywordGroup::kNumber},
    {"exclusiveMaximum", KeywordGroup::kNumber},
}};

}  // namespace

KeywordGroup group_of(std::string_view keyword) {
  for (const auto& [name, group] : kKeywords) {
    if (name == keyword) return group;
  }
  return KeywordGroup::kUnknown;
}

std::string keyword_at(std::string_view keyword, std::string_view place) {
  return io::in_quotes(keyword) + " at " + io::in_quotes(place);
}

}  // namespace quintet::decode
