#include "quintet/io/tokenizers/tokenizer_json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxSteps = 32;  // Members of one Sequence; files in use have up to five.

Error corrupt(std::string message) { return {Code::kCorrupt, std::move(message)}; }
Error unsupported(std::string message) { return {Code::kUnsupported, std::move(message)}; }

// The member `key`; null where it is missing or `object` is none.
const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

// True where the member asks for nothing: missing, null, "", false or 0.
bool asks_for_nothing(const Json& value) {
  return value.is_null() || value == "" || value == false || value == 0;
}

Result<void> read_model(const Json& model, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(model, "type"));
  if (type != "BPE") return unsupported("type " + in_quotes(type) + "; only BPE can be read");
  for (const char* key :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"})
    if (!asks_for_nothing(member(model, key)))
      return unsupported(in_quotes(key) + " is set; only byte-level BPE without it");
  QT_TRY(out.ignore_merges, bool_field(model, "ignore_merges", false));
  QT_TRY(out.unknown_token, string_field(model, "unk_token", ""));

  const Json& vocabulary = member(model, "vocab");
  if (!vocabulary.is_object()) return corrupt("\"vocab\" must be an object from token to id");
  out.vocabulary.reserve(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return corrupt("\"vocab\": the id of " + in_quotes(token) +
                     " must be an integer from 0 to 2^31-1");
    out.vocabulary.emplace_back(token, id.get<int32_t>());
  }

  const Json& merges = member(model, "merges");
  if (!merges.is_array()) return corrupt("\"merges\" must be an array");
  out.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      out.merges.emplace_back(merge[0].get_ref<const std::string&>(),
                              merge[1].get_ref<const std::string&>());
      continue;
    }
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const size_t space = text.find(' ');
      if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
        out.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    }
    return corrupt("\"merges\": entry " + std::to_string(out.merges.size()) +
                   " must be \"a b\" or [\"a\", \"b\"]");
  }
  return {};
}

Result<void> read_added_tokens(const Json& list, BpeDefinition& out) {
  if (list.is_null()) return {};
  if (!list.is_array()) return corrupt("must be an array");
  for (const Json& entry : list) {
    AddedToken token;
    QT_TRY(token.content, string_field(entry, "content"));
    const Json& id = member(entry, "id");
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return corrupt("the id of " + in_quotes(token.content) +
                     " must be an integer from 0 to 2^31-1");
    token.id = id.get<int32_t>();
    QT_TRY(token.special, bool_field(entry, "special", false));
    QT_TRY(token.single_word, bool_field(entry, "single_word", false));
    QT_TRY(token.lstrip, bool_field(entry, "lstrip", false));
    QT_TRY(token.rstrip, bool_field(entry, "rstrip", false));
    QT_TRY(token.normalized, bool_field(entry, "normalized", !token.special));
    out.added_tokens.push_back(std::move(token));
  }
  return {};
}

Result<void> read_normalizer(const Json& normalizer, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(normalizer, "type"));
  for (const auto& [name, form] : kNormalFormNames) {
    if (type != name) continue;
    out.normalizers.push_back(form);
    return {};
  }
  return unsupported("type " + in_quotes(type) +
                     "; known are NFC, NFD, NFKC, NFKD and Sequence of them");
}

Result<SplitBehavior> read_behavior(const Json& step) {
  QT_TRY(const std::string name, string_field(step, "behavior"));
  for (const auto& [known, behavior] : kSplitBehaviorNames)
    if (name == known) return behavior;
  return unsupported("behavior " + in_quotes(name));
}

Result<void> read_split(const Json& step, BpeDefinition& out) {
  SplitRule split;
  const Json& pattern = member(step, "pattern");
  const bool is_regex = member(pattern, "Regex").is_string();
  if (!is_regex && !member(pattern, "String").is_string())
    return corrupt("\"pattern\" must be {\"Regex\": ...} or {\"String\": ...}");
  split.options.syntax = is_regex ? PatternSyntax::kRegex : PatternSyntax::kLiteral;
  QT_TRY(split.pattern, string_field(pattern, is_regex ? "Regex" : "String"));
  QT_TRY(split.options.behavior, read_behavior(step));
  QT_TRY(split.options.invert, bool_field(step, "invert", false));
  out.splits.push_back(std::move(split));
  return {};
}

Result<void> read_pre_tokenizer(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(step, "type"));
  if (type == "Split") return read_split(step, out);
  if (type == "Digits") {
    QT_TRY(const bool individual, bool_field(step, "individual_digits", false));
    const SplitBehavior behavior =
        individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    out.splits.push_back({R"(\p{N})", {.behavior = behavior}});
    return {};
  }
  if (type == "ByteLevel") {
    QT_TRY(out.add_prefix_space, bool_field(step, "add_prefix_space", true));
    QT_TRY(out.gpt2_split, bool_field(step, "use_regex", true));
    return {};
  }
  return unsupported("type " + in_quotes(type) +
                     "; known are Split, Digits, ByteLevel and Sequence");
}

// `value` itself, or the members of the Sequence that it is.
Result<std::vector<const Json*>> steps_of(const Json& value, const char* list_key) {
  if (value.is_null()) return std::vector<const Json*>{};
  if (member(value, "type") != "Sequence") return std::vector<const Json*>{&value};
  const Json& list = member(value, list_key);
  if (!list.is_array() || list.size() > kMaxSteps)
    return corrupt(in_quotes(list_key) + " must be an array of at most " +
                   std::to_string(kMaxSteps));
  std::vector<const Json*> steps;
  for (const Json& step : list) steps.push_back(&step);
  return steps;
}

Result<void> read_pre_tokenizers(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "pretokenizers"));
  if (steps.empty() || member(*steps.back(), "type") != "ByteLevel")
    return unsupported("does not end in ByteLevel; only byte-level BPE can be read");
  for (const Json* step : steps) {
    if (step != steps.back() && member(*step, "type") == "ByteLevel")
      return unsupported("ByteLevel before the end of the sequence");
    QT_TRY_VOID(read_pre_tokenizer(*step, out));
  }
  return {};
}

Result<void> read_normalizers(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "normalizers"));
  for (const Json* step : steps) QT_TRY_VOID(read_normalizer(*step, out));
  return {};
}

}  // namespace

Result<BpeDefinition> parse_tokenizer_json(std::string_view json, std::string_view name) {
  QT_TRY(const Json root, parse_json(json, name, {.max_bytes = kMaxTokenizerJsonBytes}));
  if (!root.is_object()) return corrupt("not a JSON object").with(name);

  BpeDefinition out;
  const std::array<std::pair<const char*, Result<void> (*)(const Json&, BpeDefinition&)>, 4> parts =
      {{{"model", read_model},
        {"added_tokens", read_added_tokens},
        {"normalizer", read_normalizers},
        {"pre_tokenizer", read_pre_tokenizers}}};
  for (const auto& [key, read] : parts)
    QT_TRY_VOID(read(member(root, key), out).with(key).with(name));
  return out;
}

}  // namespace quintet::io
