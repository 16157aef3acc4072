// A JSON Schema as nodes of a grammar.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/decode/json_grammar.h"

namespace quintet::decode {

class SchemaCompiler {
 public:
  using Json = nlohmann::ordered_json;

  SchemaCompiler(const Json& document, const JsonGrammarLimits& limits)
      : document_(document), limits_(limits) {}

  // The node of the whole document. Errors: those of JsonGrammar::compile.
  Result<int32_t> run() { return reference("#", "#"); }
  std::vector<JsonNode> take_nodes() { return std::move(nodes_); }

 private:
  // Every schema comes with `place`, the pointer to it, for messages.
  Result<int32_t> compile(const Json& schema, const std::string& place);
  Result<void> compile_into(int32_t node, const Json& schema, const std::string& place);
  Result<void> compile_keywords(int32_t node, const Json& schema, const std::string& place);
  Result<int32_t> reference(const std::string& pointer, const std::string& place);
  Result<const Json*> resolve(const std::string& pointer, const std::string& place) const;

  Result<void> alternatives(int32_t node, const Json& schema, std::string_view keyword,
                            const std::string& place);
  // `schema` without its `$ref` and `allOf`: what they say is put in.
  Result<Json> merged_all_of(const Json& schema, const std::string& place);
  // What satisfies both.
  Result<Json> merge(const Json& a, const Json& b, const std::string& place);
  Result<void> merge_keyword(Json& into, const std::string& keyword, const Json& value,
                             const std::string& place);

  Result<void> literal(int32_t node, const Json& schema, const std::string& place);
  Result<void> typed(int32_t node, const Json& schema, const std::string& place);
  Result<JsonNode> one_type(const std::string& type, const Json& schema, const std::string& place);
  Result<JsonNode> number(bool integer, const Json& schema, const std::string& place);
  Result<JsonNode> string(const Json& schema, const std::string& place);
  Result<JsonNode> object(const Json& schema, const std::string& place);
  Result<JsonNode> array(const Json& schema, const std::string& place);
  Result<int32_t> any();

  Result<int32_t> add(JsonNode node);
  Result<void> charge_text(size_t bytes);
  Result<void> charge_work(uint64_t units = 1);

  const Json& document_;
  const JsonGrammarLimits& limits_;
  std::vector<JsonNode> nodes_;
  std::map<std::string, int32_t> references_;  // By pointer; also those that are being compiled.
  int32_t any_ = JsonNode::kNone;
  size_t text_bytes_ = 0;
  uint64_t work_ = 0;
  int depth_ = 0;
};

}  // namespace quintet::decode
