#include "quintet/io/tokenizers/tokenizer_json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/tokenizers/tokenizer_json_rules.h"

namespace quintet::io {
namespace {

using Json = nlohmann::json;

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

Result<void> read_vocabulary(const Json& vocabulary, BpeDefinition& out) {
  if (!vocabulary.is_object()) return corrupt("must be an object from token to id");
  out.vocabulary.reserve(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return corrupt("the id of " + in_quotes(token) + " must be an integer from 0 to 2^31-1");
    out.vocabulary.emplace_back(token, id.get<int32_t>());
  }
  return {};
}

Result<void> read_merges(const Json& merges, BpeDefinition& out) {
  if (!merges.is_array()) return corrupt("must be an array");
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
    return corrupt("entry " + std::to_string(out.merges.size()) +
                   " must be \"a b\" or [\"a\", \"b\"]");
  }
  return {};
}

Result<void> read_model(const Json& model, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(model, "type"));
  if (type != "BPE") return unsupported("type " + in_quotes(type) + "; only BPE can be read");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    if (!asks_for_nothing(member(model, key)))
      return unsupported(in_quotes(key) + " is set; only BPE without it can be read");
  QT_TRY(out.byte_fallback, bool_field(model, "byte_fallback", false));
  QT_TRY(out.fuse_unknown, bool_field(model, "fuse_unk", false));
  QT_TRY(out.ignore_merges, bool_field(model, "ignore_merges", false));
  QT_TRY(out.unknown_token, string_field(model, "unk_token", ""));

  QT_TRY_VOID(read_vocabulary(member(model, "vocab"), out).with("vocab"));
  return read_merges(member(model, "merges"), out).with("merges");
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

}  // namespace

Result<BpeDefinition> parse_tokenizer_json(std::string_view json, std::string_view name) {
  QT_TRY(const Json root, parse_json(json, name, {.max_bytes = kMaxTokenizerJsonBytes}));
  if (!root.is_object()) return corrupt("not a JSON object").with(name);

  BpeDefinition out;
  const std::array<std::pair<const char*, Result<void> (*)(const Json&, BpeDefinition&)>, 6> parts =
      {{{"model", read_model},
        {"added_tokens", read_added_tokens},
        {"normalizer", read_normalizers},
        {"pre_tokenizer", read_pre_tokenizers},
        {"post_processor", read_post_processors},
        {"decoder", read_decoders}}};
  for (const auto& [key, read] : parts)
    QT_TRY_VOID(read(member(root, key), out).with(key).with(name));
  if (out.byte_level && out.byte_fallback)
    return unsupported("'byte_fallback' is set beside ByteLevel").with("model").with(name);
  return out;
}

}  // namespace quintet::io
