#include "quintet/engine/decode/json_schema.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "quintet/engine/decode/schema_keywords.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::decode {
namespace {

using Json = SchemaCompiler::Json;

Error malformed(std::string_view keyword, const std::string& place, const std::string& expected) {
  return Error(Code::kInvalidArgument,
               "the schema's " + keyword_at(keyword, place) + " must be " + expected);
}

Error unsupported(std::string_view keyword, const std::string& place, const std::string& why) {
  return Error(Code::kUnsupported, "the schema's " + keyword_at(keyword, place) + " " + why);
}

// Whether it has a keyword of the group.
bool has_group(const Json& schema, KeywordGroup group) {
  return std::ranges::any_of(schema.items(),
                             [&](const auto& entry) { return group_of(entry.key()) == group; });
}

// Whether it says nothing but where the schema is.
bool is_reference(const Json& schema) {
  const auto entry = schema.find("$ref");
  if (entry == schema.end() || !entry->is_string()) return false;
  return std::ranges::all_of(schema.items(), [](const auto& item) {
    return item.key() == "$ref" || group_of(item.key()) == KeywordGroup::kAnnotation;
  });
}

Result<std::string> json_text(const Json& value, const std::string& place) {
  try {
    return value.dump();
  } catch (const Json::exception&) {
    return Error(Code::kInvalidArgument,
                 "a string of the schema at " + io::in_quotes(place) + " is not UTF-8");
  }
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
  }
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

// A count such as minItems.
Result<uint32_t> count(const Json& schema, const char* keyword, const std::string& place,
                       uint32_t fallback) {
  const auto entry = schema.find(keyword);
  if (entry == schema.end()) return fallback;
  const bool fits = entry->is_number() && entry->get<double>() >= 0 &&
                    entry->get<double>() < JsonNode::kUnlimited &&
                    std::trunc(entry->get<double>()) == entry->get<double>();
  if (!fits) return malformed(keyword, place, "an integer of 0 or more");
  return static_cast<uint32_t>(entry->get<double>());
}

Result<std::vector<std::string>> types_of(const Json& schema, const std::string& place) {
  static const std::set<std::string> kTypes = {"null",   "boolean", "integer", "number",
                                               "string", "array",   "object"};
  std::vector<std::string> types;
  const auto entry = schema.find("type");
  if (entry == schema.end()) return types;
  const Json list = entry->is_array() ? *entry : Json::array({*entry});
  for (const Json& type : list) {
    if (!type.is_string() || !kTypes.contains(type.get<std::string>())) {
      return malformed("type", place, "the name of a type, or a list of some");
    }
    types.push_back(type.get<std::string>());
  }
  if (types.empty()) return malformed("type", place, "the name of a type, or a list of some");
  return types;
}

}  // namespace

Result<int32_t> SchemaCompiler::add(JsonNode node) {
  if (nodes_.size() >= limits_.nodes) {
    return Error(Code::kExhausted, "the schema makes a grammar of more than " +
                                       std::to_string(limits_.nodes) + " parts, the limit");
  }
  nodes_.push_back(std::move(node));
  return static_cast<int32_t>(nodes_.size() - 1);
}

Result<void> SchemaCompiler::charge_text(size_t bytes) {
  text_bytes_ += bytes;
  if (text_bytes_ <= limits_.text_bytes) return {};
  return Error(Code::kExhausted, "the schema has more than " + std::to_string(limits_.text_bytes) +
                                     " bytes of names and values, the limit");
}

Result<int32_t> SchemaCompiler::compile(const Json& schema, const std::string& place) {
  QT_TRY(const int32_t node, add({}));
  QT_TRY_VOID(compile_into(node, schema, place));
  return node;
}

Result<int32_t> SchemaCompiler::reference(const std::string& pointer, const std::string& place) {
  const auto known = references_.find(pointer);
  if (known != references_.end()) return known->second;
  QT_TRY(const Json* schema, resolve(pointer, place));
  QT_TRY(const int32_t node, add({}));
  references_.emplace(pointer, node);
  QT_TRY_VOID(compile_into(node, *schema, pointer));
  return node;
}

Result<void> SchemaCompiler::compile_into(int32_t node, const Json& schema,
                                          const std::string& place) {
  QT_TRY_VOID(charge_work());
  if (depth_ >= limits_.schema_depth) {
    return Error(Code::kExhausted, "the schema is nested deeper than " +
                                       std::to_string(limits_.schema_depth) + ", the limit");
  }
  ++depth_;
  auto done = compile_keywords(node, schema, place);
  --depth_;
  return done;
}

Result<void> SchemaCompiler::compile_keywords(int32_t node, const Json& schema,
                                              const std::string& place) {
  if (schema.is_boolean() && schema.get<bool>()) {
    QT_TRY(const int32_t all, any());
    nodes_[static_cast<size_t>(node)].parts = {all};
    return {};
  }
  if (schema.is_boolean()) {
    return Error(Code::kInvalidArgument,
                 "the schema at " + io::in_quotes(place) + " is false: it allows no value");
  }
  if (!schema.is_object()) {
    return Error(Code::kInvalidArgument,
                 "the schema at " + io::in_quotes(place) + " must be an object, true or false");
  }
  for (const auto& [keyword, value] : schema.items()) {
    if (group_of(keyword) == KeywordGroup::kUnknown) {
      return unsupported(keyword, place, "is not supported");
    }
  }
  if (is_reference(schema)) {
    QT_TRY(const int32_t target, reference(schema["$ref"].get<std::string>(), place));
    nodes_[static_cast<size_t>(node)].parts = {target};
    return {};
  }
  if (schema.contains("allOf") || schema.contains("$ref")) {
    QT_TRY(const Json merged, merged_all_of(schema, place));
    return compile_into(node, merged, place);
  }
  if (schema.contains("anyOf")) return alternatives(node, schema, "anyOf", place);
  if (schema.contains("oneOf")) return alternatives(node, schema, "oneOf", place);
  if (has_group(schema, KeywordGroup::kValues)) return literal(node, schema, place);
  return typed(node, schema, place);
}

Result<void> SchemaCompiler::alternatives(int32_t node, const Json& schema,
                                          std::string_view keyword, const std::string& place) {
  Json siblings = schema;
  const Json choices = schema.at(std::string(keyword));
  siblings.erase(std::string(keyword));
  if (!choices.is_array() || choices.empty()) return malformed(keyword, place, "a list of schemas");
  const bool alone = std::ranges::all_of(siblings.items(), [](const auto& entry) {
    return group_of(entry.key()) == KeywordGroup::kAnnotation;
  });
  std::vector<int32_t> parts;
  for (size_t i = 0; i < choices.size(); ++i) {
    const std::string inner = place + "/" + std::string(keyword) + "/" + std::to_string(i);
    if (choices[i].is_boolean() && !choices[i].get<bool>()) continue;
    if (alone) {
      QT_TRY(const int32_t part, compile(choices[i], inner));
      parts.push_back(part);
      continue;
    }
    QT_TRY(const Json merged, merge(siblings, choices[i], inner));
    QT_TRY(const int32_t part, compile(merged, inner));
    parts.push_back(part);
  }
  nodes_[static_cast<size_t>(node)].parts = std::move(parts);
  return {};
}

Result<void> SchemaCompiler::literal(int32_t node, const Json& schema, const std::string& place) {
  for (const auto& [keyword, value] : schema.items()) {
    const KeywordGroup group = group_of(keyword);
    const bool fits = group == KeywordGroup::kAnnotation || group == KeywordGroup::kValues ||
                      group == KeywordGroup::kType;
    if (!fits) return unsupported(keyword, place, "beside 'enum' or 'const' is not supported");
  }
  if (schema.contains("enum") && schema.contains("const")) {
    return unsupported("const", place, "beside 'enum' is not supported");
  }
  const Json values = schema.contains("enum") ? schema["enum"] : Json::array({schema["const"]});
  if (!values.is_array() || values.empty()) return malformed("enum", place, "a list of values");
  QT_TRY(const auto types, types_of(schema, place));
  JsonNode result = JsonNode::of(JsonNode::Kind::kLiteral);
  for (const Json& value : values) {
    const bool fits = types.empty() || std::ranges::any_of(types, [&](const std::string& type) {
                        return has_type(value, type);
                      });
    if (!fits) continue;
    QT_TRY(std::string text, json_text(value, place));
    QT_TRY_VOID(charge_text(text.size()));
    result.texts.push_back(std::move(text));
  }
  if (result.texts.empty()) return malformed("enum", place, "a list with a value of the 'type'");
  nodes_[static_cast<size_t>(node)] = std::move(result);
  return {};
}

// The types that a schema without `type` speaks about; none: it allows any value.
std::vector<std::string> implied_types(const Json& schema) {
  if (has_group(schema, KeywordGroup::kObject)) return {"object"};
  if (has_group(schema, KeywordGroup::kArray)) return {"array"};
  if (has_group(schema, KeywordGroup::kString)) return {"string"};
  if (has_group(schema, KeywordGroup::kNumber)) return {"number"};
  return {};
}

Result<void> SchemaCompiler::typed(int32_t node, const Json& schema, const std::string& place) {
  QT_TRY(auto types, types_of(schema, place));
  if (types.empty()) types = implied_types(schema);
  if (types.empty()) {
    QT_TRY(const int32_t all, any());
    nodes_[static_cast<size_t>(node)].parts = {all};
    return {};
  }
  std::vector<int32_t> parts;
  for (const std::string& type : types) {
    QT_TRY(JsonNode part, one_type(type, schema, place));
    if (types.size() == 1) {
      nodes_[static_cast<size_t>(node)] = std::move(part);
      return {};
    }
    QT_TRY(const int32_t number, add(std::move(part)));
    parts.push_back(number);
  }
  nodes_[static_cast<size_t>(node)].parts = std::move(parts);
  return {};
}

Result<JsonNode> SchemaCompiler::one_type(const std::string& type, const Json& schema,
                                          const std::string& place) {
  if (type == "null") return JsonNode::literal({"null"});
  if (type == "boolean") {
    return JsonNode::literal({"false", "true"});
  }
  if (type == "integer" || type == "number") return number(type == "integer", schema, place);
  if (type == "string") return string(schema, place);
  return type == "array" ? array(schema, place) : object(schema, place);
}

Result<JsonNode> SchemaCompiler::number(bool integer, const Json& schema,
                                        const std::string& place) {
  JsonNode node = JsonNode::of(JsonNode::Kind::kNumber);
  node.integer = integer;
  std::optional<double> low;
  std::optional<double> high;
  for (const char* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
    const auto entry = schema.find(keyword);
    if (entry == schema.end()) continue;
    if (!entry->is_number()) return malformed(keyword, place, "a number");
    const bool exclusive = std::string_view(keyword).starts_with("exclusive");
    if (exclusive && !integer) {
      return unsupported(keyword, place, "is supported for integers only");
    }
    const double bound = entry->get<double>();
    if (std::string_view(keyword).ends_with("inimum")) {
      const double least = !integer ? bound : exclusive ? std::floor(bound) + 1 : std::ceil(bound);
      low = std::max(low.value_or(least), least);
    } else {
      const double most = !integer ? bound : exclusive ? std::ceil(bound) - 1 : std::floor(bound);
      high = std::min(high.value_or(most), most);
    }
  }
  constexpr double kMostValues = 10'000;
  constexpr double kExact = 9007199254740992;  // 2^53.
  if (integer && low && high && std::abs(*low) <= kExact && *high - *low < kMostValues) {
    if (*high < *low) return malformed("maximum", place, "no less than 'minimum'");
    JsonNode values = JsonNode::of(JsonNode::Kind::kLiteral);
    for (auto i = static_cast<int64_t>(*low); i <= static_cast<int64_t>(*high); ++i) {
      values.texts.push_back(std::to_string(i));
      QT_TRY_VOID(charge_text(values.texts.back().size()));
    }
    return values;
  }
  const bool from_zero = low && (*low == 0 || (integer && *low == 1));
  if (high || (low && !from_zero)) {
    return unsupported(high ? "maximum" : "minimum", place,
                       "is supported for integers of a range up to 10000, or as a minimum of 0");
  }
  node.negative = !low;
  node.zero = !low || *low == 0;
  return node;
}

Result<JsonNode> SchemaCompiler::string(const Json& schema, const std::string& place) {
  JsonNode node = JsonNode::of(JsonNode::Kind::kString);
  QT_TRY(node.min, count(schema, "minLength", place, 0));
  QT_TRY(node.max, count(schema, "maxLength", place, JsonNode::kUnlimited));
  if (node.max < node.min) return malformed("maxLength", place, "no less than 'minLength'");
  return node;
}

Result<JsonNode> SchemaCompiler::object(const Json& schema, const std::string& place) {
  JsonNode node = JsonNode::of(JsonNode::Kind::kObject);
  std::set<std::string> required;
  const Json names = schema.value("required", Json::array());
  const bool are_names =
      names.is_array() && std::ranges::all_of(names, [](const Json& n) { return n.is_string(); });
  if (!are_names) return malformed("required", place, "a list of names");
  for (const Json& name : names) required.insert(name.get<std::string>());

  const Json rest = schema.value("additionalProperties", Json());
  const bool closed = rest.is_boolean() && !rest.get<bool>();
  const Json properties = schema.value("properties", Json::object());
  if (!properties.is_object()) return malformed("properties", place, "an object");
  const bool open = !rest.is_null() || (properties.empty() && required.empty());
  if (!closed && open) {
    QT_TRY(node.rest, compile(rest.is_null() ? Json(true) : rest, place + "/additionalProperties"));
  }
  const auto add_property = [&](const std::string& name, const Json& value,
                                const std::string& inner) -> Result<void> {
    QT_TRY(std::string key, json_text(Json(name), place));
    QT_TRY_VOID(charge_text(key.size()));
    QT_TRY(const int32_t part, compile(value, inner));
    node.properties.push_back({std::move(key), part, required.contains(name)});
    node.plain_keys = node.plain_keys && node.properties.back().key.find('\\') == std::string::npos;
    return {};
  };
  for (const auto& [name, value] : properties.items()) {
    if (value.is_boolean() && !value.get<bool>() && !required.contains(name)) continue;
    QT_TRY_VOID(add_property(name, value, place + "/properties/" + name));
  }
  for (const std::string& name : required) {
    if (properties.contains(name)) continue;
    if (closed) return malformed("required", place, "a list of names that 'properties' has too");
    QT_TRY_VOID(
        add_property(name, rest.is_null() ? Json(true) : rest, place + "/required/" + name));
  }
  return node;
}

Result<JsonNode> SchemaCompiler::array(const Json& schema, const std::string& place) {
  JsonNode node = JsonNode::of(JsonNode::Kind::kArray);
  QT_TRY(node.min, count(schema, "minItems", place, 0));
  QT_TRY(node.max, count(schema, "maxItems", place, JsonNode::kUnlimited));
  const Json first = schema.value("prefixItems", Json::array());
  if (!first.is_array()) return malformed("prefixItems", place, "a list of schemas");
  for (size_t i = 0; i < first.size() && i < node.max; ++i) {
    QT_TRY(const int32_t part, compile(first[i], place + "/prefixItems/" + std::to_string(i)));
    node.parts.push_back(part);
  }
  const auto items = schema.find("items");
  const bool none = items != schema.end() && items->is_boolean() && !items->get<bool>();
  const bool wanted = items != schema.end() || first.empty() || node.min > first.size();
  if (!none && wanted && node.max > node.parts.size()) {
    QT_TRY(node.rest, compile(items == schema.end() ? Json(true) : *items, place + "/items"));
  }
  if (node.rest == JsonNode::kNone) {
    node.max = std::min(node.max, static_cast<uint32_t>(node.parts.size()));
  }
  if (node.max < node.min)
    return malformed("minItems", place, "no more than the items there can be");
  return node;
}

Result<int32_t> SchemaCompiler::any() {
  if (any_ != JsonNode::kNone) return any_;
  using Kind = JsonNode::Kind;
  QT_TRY(any_, add({}));
  const int32_t self = any_;
  QT_TRY(const int32_t fixed, add(JsonNode::literal({"false", "null", "true"})));
  QT_TRY(const int32_t number, add(JsonNode::of(Kind::kNumber)));
  QT_TRY(const int32_t text, add(JsonNode::of(Kind::kString)));
  JsonNode list = JsonNode::of(JsonNode::Kind::kArray);
  list.rest = self;
  QT_TRY(const int32_t array, add(std::move(list)));
  JsonNode map = JsonNode::of(JsonNode::Kind::kObject);
  map.rest = self;
  QT_TRY(const int32_t object, add(std::move(map)));
  nodes_[static_cast<size_t>(self)].parts = {fixed, number, text, array, object};
  return self;
}

}  // namespace quintet::decode
