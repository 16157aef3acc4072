// Which JSON texts a schema allows, as a grammar that can be followed byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::decode {

struct JsonGrammarLimits {
  size_t nodes = 10'000;                // Of the grammar, after the schema's parts are merged.
  size_t text_bytes = size_t{1} << 20;  // Names of properties, and values of `enum` and `const`.
  size_t alternatives = 48;             // Of one `anyOf`, besides fixed values.
  int schema_depth = 128;               // Schemas inside each other, references followed.
  int value_depth = 48;                 // Objects and lists inside each other in what is written.
  uint64_t smallest_bytes = 1 << 16;    // Length of the shortest text that satisfies the schema.
  uint64_t work = 100'000;              // Schemas looked at, as often as they are.
};

// One kind of value. Others are named by their number in JsonGrammar::nodes().
struct JsonNode {
  enum class Kind : uint8_t { kAlternatives, kLiteral, kString, kNumber, kObject, kArray };
  struct Property {
    std::string key;  // As it is written, with both quotes.
    int32_t node = 0;
    bool required = false;
  };
  static constexpr int32_t kNone = -1;
  static constexpr uint32_t kUnlimited = UINT32_MAX;

  Kind kind = Kind::kAlternatives;
  std::vector<int32_t> parts;        // kAlternatives: any of them; kArray: the first items.
  std::vector<std::string> texts;    // kLiteral: sorted, each once.
  std::vector<Property> properties;  // kObject, in the order in which they are written.
  int32_t rest = kNone;              // kObject: values of other names; kArray: items after `parts`.
  uint32_t min = 0;                  // kString: characters; kArray: items.
  uint32_t max = kUnlimited;
  bool plain_keys = true;  // kObject: no name of `properties` has a backslash.
  bool integer = false;    // kNumber: no fraction and no exponent.
  bool negative = true;    // kNumber: a minus is allowed.
  bool zero = true;        // kNumber: may begin with 0.
  static JsonNode of(Kind kind) {
    JsonNode node;
    node.kind = kind;
    return node;
  }
  static JsonNode literal(std::vector<std::string> texts) {
    JsonNode node = of(Kind::kLiteral);
    node.texts = std::move(texts);
    return node;
  }

  // Of the shortest value: bytes, and containers inside each other. Set by JsonGrammar::compile.
  uint64_t bytes = 0;
  int32_t height = 0;
};

// Threads: const methods are safe concurrently. Cheap to copy.
class JsonGrammar {
 public:
  // `schema` is a JSON Schema (draft 2020-12): `type`, `enum`, `const`, `properties`, `required`,
  // `additionalProperties`, `items`, `prefixItems`, `minItems`, `maxItems`, `minLength`,
  // `maxLength`, `anyOf`, `oneOf` (taken as `anyOf`), `allOf` of schemas that do not contradict,
  // `$ref` inside the document, also recursive ones, `minimum` and `maximum` of integers with few
  // values between them; true for any value. Annotations (`title`, `description`, ...) change
  // nothing. docs/json-schema.md.
  // Errors, one line that names the keyword and the place: kUnsupported for any other keyword,
  // kInvalidArgument where the schema is malformed or allows no value, kExhausted past a limit:
  // a schema may explode.
  static Result<JsonGrammar> compile(const nlohmann::ordered_json& schema,
                                     const JsonGrammarLimits& limits = {});
  // The same; the properties are written in the order of their names, as nlohmann::json has them.
  static Result<JsonGrammar> compile(const nlohmann::json& schema,
                                     const JsonGrammarLimits& limits = {});

  // Every node that `node` may be, none of them kAlternatives.
  const std::vector<int32_t>& choices(int32_t node) const {
    return shared_->choices[static_cast<size_t>(node)];
  }
  const JsonNode& node(int32_t i) const { return shared_->nodes[static_cast<size_t>(i)]; }
  int32_t root() const { return shared_->root; }
  int value_depth() const { return shared_->value_depth; }

 private:
  struct Shared {
    std::vector<JsonNode> nodes;
    std::vector<std::vector<int32_t>> choices;
    int32_t root = 0;
    int value_depth = 0;
  };
  explicit JsonGrammar(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}
  static Result<void> finish(Shared& shared, const JsonGrammarLimits& limits);

  std::shared_ptr<const Shared> shared_;
};

}  // namespace quintet::decode
