// Schemas that must hold together, as one.
#include <algorithm>
#include <optional>

#include "quintet/engine/decode/json_schema.h"
#include "quintet/engine/decode/schema_keywords.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::decode {
namespace {

using Json = SchemaCompiler::Json;

// What copying it costs. REQUIRES: the document's depth was checked.
uint64_t weight(const Json& json) {
  constexpr uint64_t kBytesPerUnit = 64;
  if (json.is_string()) return 1 + json.get_ref<const std::string&>().size() / kBytesPerUnit;
  if (!json.is_structured()) return 1;
  uint64_t sum = 1;
  for (const auto& entry : json.items()) {
    sum += entry.key().size() / kBytesPerUnit + weight(entry.value());
  }
  return sum;
}

Json as_list(const Json& value) { return value.is_array() ? value : Json::array({value}); }

bool contains(const Json& list, const Json& value) {
  return std::ranges::find(list, value) != list.end();
}

// The types that both lists have; an integer is a number.
Json common_types(const Json& a, const Json& b) {
  Json common = Json::array();
  const Json left = as_list(a);
  const Json right = as_list(b);
  for (const Json& type : left) {
    if (contains(right, type) || (type == "integer" && contains(right, "number"))) {
      common.push_back(type);
    } else if (type == "number" && contains(right, "integer")) {
      common.push_back("integer");
    }
  }
  return common;
}

Json both(const Json& a, const Json& b) { return {{"allOf", Json::array({a, b})}}; }

std::optional<Json> merged_value(const std::string& keyword, const Json& a, const Json& b) {
  const bool numbers = a.is_number() && b.is_number();
  if (numbers && keyword.find("min") == 0) return a < b ? b : a;
  if (numbers && keyword.find("max") == 0) return a < b ? a : b;
  if (keyword == "items") return both(a, b);
  if (keyword == "type") return common_types(a, b);
  if (keyword == "enum" && a.is_array()) {
    Json common = Json::array();
    for (const Json& value : a) {
      if (contains(b, value)) common.push_back(value);
    }
    return common;
  }
  if (keyword == "required" && a.is_array() && b.is_array()) {
    Json all = a;
    for (const Json& name : b) {
      if (!contains(all, name)) all.push_back(name);
    }
    return all;
  }
  if (keyword != "properties" || !a.is_object() || !b.is_object()) return std::nullopt;
  Json all = a;
  for (const auto& [name, value] : b.items()) {
    all[name] = all.contains(name) && all[name] != value ? both(all[name], value) : value;
  }
  return all;
}

// What comparing all entries of a keyword in both costs.
uint64_t pairs(const Json& a, const Json& b, const char* keyword) {
  constexpr uint64_t kPairsPerUnit = 64;
  const auto mine = a.find(keyword);
  const auto theirs = b.find(keyword);
  if (mine == a.end() || theirs == b.end()) return 0;
  return mine->size() * theirs->size() / kPairsPerUnit;
}

// Whether `a` forbids, or constrains by a rule for all others, what only `b` names.
bool closes(const Json& a, const Json& b) {
  const auto rest = a.find("additionalProperties");
  if (rest == a.end() || (rest->is_boolean() && rest->get<bool>())) return false;
  const Json mine = a.value("properties", Json::object());
  const Json others = b.value("properties", Json::object());
  if (b.contains("additionalProperties") && b["additionalProperties"] != *rest) return true;
  return !others.is_object() || std::ranges::any_of(others.items(), [&](const auto& entry) {
    return !mine.contains(entry.key());
  });
}

}  // namespace

Result<void> SchemaCompiler::charge_work(uint64_t units) {
  work_ += units;
  if (work_ <= limits_.work) return {};
  return Error(Code::kExhausted, "the schema takes more than " + std::to_string(limits_.work) +
                                     " steps to put together, the limit");
}

Result<const SchemaCompiler::Json*> SchemaCompiler::resolve(const std::string& pointer,
                                                            const std::string& place) const {
  const Error error(Code::kUnsupported,
                    "the schema's '$ref' at " + io::in_quotes(place) + " is " +
                        io::in_quotes(pointer) +
                        ", but must point inside the schema, as '#/$defs/name'");
  if (!pointer.starts_with('#') || pointer.find('%') != std::string::npos) return error;
  if (pointer.size() > 1 && pointer[1] != '/') return error;
  const Json* at = &document_;
  for (size_t begin = 1; begin < pointer.size();) {
    const size_t end = std::min(pointer.find('/', begin + 1), pointer.size());
    std::string name;
    for (size_t i = begin + 1; i < end; ++i) {
      const bool escaped = pointer[i] == '~' && i + 1 < end;
      name += escaped ? (pointer[i + 1] == '1' ? '/' : '~') : pointer[i];
      i += escaped ? 1 : 0;
    }
    begin = end;
    if (at->is_object() && at->contains(name)) {
      at = &(*at)[name];
    } else if (at->is_array() && !name.empty() && name.size() < 9 &&
               name.find_first_not_of("0123456789") == std::string::npos &&
               std::stoul(name) < at->size()) {
      at = &(*at)[std::stoul(name)];
    } else {
      return error;
    }
  }
  return at;
}

Result<SchemaCompiler::Json> SchemaCompiler::merged_all_of(const Json& schema,
                                                           const std::string& place) {
  Json merged = schema;
  merged.erase("$ref");
  merged.erase("allOf");
  if (schema.contains("$ref")) {
    if (!schema["$ref"].is_string()) {
      return Error(Code::kInvalidArgument,
                   "the schema's " + keyword_at("$ref", place) + " must be a string");
    }
    QT_TRY(const Json* target, resolve(schema["$ref"].get<std::string>(), place));
    QT_TRY(merged, merge(merged, *target, place));
  }
  const Json parts = schema.value("allOf", Json::array());
  if (!parts.is_array()) {
    return Error(Code::kInvalidArgument,
                 "the schema's " + keyword_at("allOf", place) + " must be a list of schemas");
  }
  for (const Json& part : parts) {
    QT_TRY(merged, merge(merged, part, place));
  }
  return merged;
}

Result<SchemaCompiler::Json> SchemaCompiler::merge(const Json& a, const Json& b,
                                                   const std::string& place) {
  QT_TRY_VOID(charge_work(weight(a) + weight(b)));
  if (depth_ >= limits_.schema_depth) {
    return Error(Code::kExhausted, "the schema is nested deeper than " +
                                       std::to_string(limits_.schema_depth) + ", the limit");
  }
  if (b.is_boolean()) return b.get<bool>() ? a : b;
  if (!b.is_object() || !a.is_object()) {
    if (a.is_boolean()) return a.get<bool>() ? b : a;
    return Error(Code::kInvalidArgument,
                 "the schema at " + io::in_quotes(place) + " must be an object, true or false");
  }
  if (b.contains("$ref") || b.contains("allOf")) {
    ++depth_;
    auto inner = merged_all_of(b, place);
    --depth_;
    if (!inner) return inner;
    return merge(a, *inner, place);
  }
  // Names are looked for one by one.
  QT_TRY_VOID(
      charge_work(pairs(a, b, "properties") + pairs(a, b, "required") + pairs(a, b, "enum")));
  if (closes(a, b) || closes(b, a)) {
    return Error(Code::kUnsupported,
                 "the schema's " + keyword_at("additionalProperties", place) +
                     " beside properties of another part of the same 'allOf' is not supported");
  }
  Json merged = a;
  for (const auto& [keyword, value] : b.items()) {
    QT_TRY_VOID(merge_keyword(merged, keyword, value, place));
  }
  return merged;
}

Result<void> SchemaCompiler::merge_keyword(Json& into, const std::string& keyword,
                                           const Json& value, const std::string& place) {
  if (!into.contains(keyword)) {
    into[keyword] = value;
    return {};
  }
  const Json& mine = into[keyword];
  if (mine == value || group_of(keyword) == KeywordGroup::kAnnotation) return {};
  auto merged = merged_value(keyword, mine, value);
  if (!merged) {
    return Error(Code::kUnsupported, "the schema's " + keyword_at(keyword, place) +
                                         " says two things in one 'allOf': not supported");
  }
  if ((keyword == "type" || keyword == "enum") && merged->empty()) {
    return Error(Code::kInvalidArgument, "the schema's " + keyword_at(keyword, place) +
                                             " contradicts itself in an 'allOf'");
  }
  into[keyword] = *std::move(merged);
  return {};
}

}  // namespace quintet::decode
