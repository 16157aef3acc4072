// Keywords of JSON Schema that the grammar knows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quintet::decode {

enum class KeywordGroup : uint8_t {
  kUnknown,
  kAnnotation,  // Changes nothing about what is allowed.
  kCombining,   // $ref, allOf, anyOf, oneOf
  kType,
  kValues,  // enum, const
  kObject,
  kArray,
  kString,
  kNumber,
};
KeywordGroup group_of(std::string_view keyword);

// "'keyword' at #/place", safe in a one-line message.
std::string keyword_at(std::string_view keyword, std::string_view place);

}  // namespace quintet::decode
