#include "quintet/io/tokenizers/bpe_settings.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

using nlohmann::json;

// Raised with every change of the arrays or settings: an older file must be converted again, but
// for those of the first version.
constexpr int64_t kVersion = 2;
constexpr int64_t kByteLevelVersion = 1;
constexpr size_t kMaxSpecialTokens = 64;  // Before and behind a text.

Error corrupt(std::string message) { return {Code::kCorrupt, std::move(message)}; }

// The value that has `name` in a list of names and values.
template <typename Names>
auto value_of(const Names& names, std::string_view name)
    -> Result<std::remove_cvref_t<decltype(names.front().second)>> {
  const auto found = std::ranges::find(names, name, [](const auto& entry) { return entry.first; });
  if (found == names.end()) return corrupt(in_quotes(name) + " is unknown");
  return found->second;
}

template <typename Names, typename Value>
std::string name_of(const Names& names, Value value) {
  const auto found =
      std::ranges::find(names, value, [](const auto& entry) { return entry.second; });
  return std::string(found->first);
}

Result<int32_t> small_int_field(const json& object, std::string_view key) {
  QT_TRY(const int64_t value, int_field(object, key));
  if (value < -1 || value > INT32_MAX)
    return corrupt(std::string(key) + " is " + std::to_string(value));
  return static_cast<int32_t>(value);
}

Result<PatternSyntax> syntax_field(const json& object) {
  QT_TRY(const bool literal, bool_field(object, "literal"));
  return literal ? PatternSyntax::kLiteral : PatternSyntax::kRegex;
}

// How each rule is written and read: to_json(rule), and from_json(object, rule) for an object that
// has the rule's `type`.
template <typename Rule>
constexpr const char* kType = nullptr;
template <>
constexpr const char* kType<LowercaseRule> = "Lowercase";
template <>
constexpr const char* kType<StripRule> = "Strip";
template <>
constexpr const char* kType<ReplaceRule> = "Replace";
template <>
constexpr const char* kType<PrefixRule> = "Prefix";
template <>
constexpr const char* kType<SplitRule> = "Split";
template <>
constexpr const char* kType<ByteFallbackRule> = "ByteFallback";
template <>
constexpr const char* kType<FuseRule> = "Fuse";
template <>
constexpr const char* kType<TrimRule> = "Trim";
template <>
constexpr const char* kType<MetaspaceRule> = "Metaspace";

json to_json(const LowercaseRule&) { return json::object(); }
json to_json(const ByteFallbackRule&) { return json::object(); }
json to_json(const FuseRule&) { return json::object(); }
json to_json(const StripRule& r) { return {{"left", r.left}, {"right", r.right}}; }
json to_json(const ReplaceRule& r) {
  return {{"pattern", r.pattern},
          {"literal", r.syntax == PatternSyntax::kLiteral},
          {"content", r.content}};
}
json to_json(const PrefixRule& r) {
  return {{"text", r.text}, {"where_missing", r.where_missing}, {"at_start", r.at_start}};
}
json to_json(const SplitRule& r) {
  return {{"pattern", r.pattern},
          {"behavior", name_of(kSplitBehaviorNames, r.options.behavior)},
          {"literal", r.options.syntax == PatternSyntax::kLiteral},
          {"invert", r.options.invert}};
}
json to_json(const TrimRule& r) {
  return {{"content", r.content}, {"start", r.start}, {"stop", r.stop}};
}
json to_json(const MetaspaceRule& r) {
  return {{"replacement", r.replacement}, {"drop_first", r.drop_first}};
}

Result<void> from_json(const json&, LowercaseRule&) { return {}; }
Result<void> from_json(const json&, ByteFallbackRule&) { return {}; }
Result<void> from_json(const json&, FuseRule&) { return {}; }
Result<void> from_json(const json& object, StripRule& r) {
  QT_TRY(r.left, bool_field(object, "left"));
  QT_TRY(r.right, bool_field(object, "right"));
  return {};
}
Result<void> from_json(const json& object, ReplaceRule& r) {
  QT_TRY(r.pattern, string_field(object, "pattern"));
  QT_TRY(r.syntax, syntax_field(object));
  QT_TRY(r.content, string_field(object, "content"));
  return {};
}
Result<void> from_json(const json& object, PrefixRule& r) {
  QT_TRY(r.text, string_field(object, "text"));
  QT_TRY(r.where_missing, bool_field(object, "where_missing"));
  QT_TRY(r.at_start, bool_field(object, "at_start"));
  return {};
}
Result<void> from_json(const json& object, SplitRule& r) {
  QT_TRY(r.pattern, string_field(object, "pattern"));
  QT_TRY(const std::string behavior, string_field(object, "behavior"));
  QT_TRY(r.options.behavior, value_of(kSplitBehaviorNames, behavior));
  QT_TRY(r.options.syntax, syntax_field(object));
  QT_TRY(r.options.invert, bool_field(object, "invert"));
  return {};
}
Result<void> from_json(const json& object, TrimRule& r) {
  QT_TRY(r.content, string_field(object, "content"));
  QT_TRY(r.start, small_int_field(object, "start"));
  QT_TRY(r.stop, small_int_field(object, "stop"));
  return {};
}
Result<void> from_json(const json& object, MetaspaceRule& r) {
  QT_TRY(r.replacement, string_field(object, "replacement"));
  QT_TRY(r.drop_first, bool_field(object, "drop_first"));
  return {};
}

template <typename Variant>
json write_rules(const std::vector<Variant>& rules) {
  json list = json::array();
  for (const Variant& rule : rules) {
    std::visit(
        [&]<typename Rule>(const Rule& r) {
          if constexpr (std::is_same_v<Rule, NormalForm>) {
            list.push_back({{"type", name_of(kNormalFormNames, r)}});
          } else {
            json object = to_json(r);
            object["type"] = kType<Rule>;
            list.push_back(std::move(object));
          }
        },
        rule);
  }
  return list;
}

// The rule that `type` names, if it is one of `Rule`'s; nullopt if not.
template <typename Variant, typename Rule>
Result<std::optional<Variant>> read_as(const json& object, std::string_view type) {
  if constexpr (std::is_same_v<Rule, NormalForm>) {
    const auto form = value_of(kNormalFormNames, type);
    return form ? std::optional<Variant>(*form) : std::nullopt;
  } else {
    if (type != kType<Rule>) return std::optional<Variant>();
    Rule rule;
    QT_TRY_VOID(from_json(object, rule).with(type));
    return std::optional<Variant>(std::move(rule));
  }
}

template <typename... Rules>
Result<void> read_rule(const json& object, std::vector<std::variant<Rules...>>& out) {
  using Variant = std::variant<Rules...>;
  QT_TRY(const std::string type, string_field(object, "type"));
  std::optional<Error> error;
  const auto read = [&]<typename Rule>() {
    auto rule = read_as<Variant, Rule>(object, type);
    if (!rule) return error.emplace(std::move(rule).error()), true;
    if (!*rule) return false;
    out.push_back(**std::move(rule));
    return true;
  };
  if (!(read.template operator()<Rules>() || ...)) return corrupt(in_quotes(type) + " is unknown");
  if (error) return *std::move(error);
  return {};
}

template <typename Variant>
Result<void> read_rules(const json& root, const char* key, std::vector<Variant>& out) {
  const auto list = root.find(key);
  if (list == root.end() || !list->is_array())
    return corrupt(std::string(key) + " must be a list of objects");
  for (const json& object : *list) {
    if (!object.is_object()) return corrupt(std::string(key) + " must be a list of objects");
    QT_TRY_VOID(read_rule(object, out).with(key));
  }
  return {};
}

// The first version's: names of normal forms, splits, and the split before which a space goes.
Result<void> read_byte_level_rules(const json& root, BpeSettings& out) {
  QT_TRY(const std::vector<std::string> normalizers, string_list_field(root, "normalizers"));
  for (const std::string& name : normalizers) {
    QT_TRY(const NormalForm form, value_of(kNormalFormNames, name));
    out.normalizers.emplace_back(form);
  }
  const auto splits = root.find("splits");
  if (splits == root.end() || !splits->is_array()) return corrupt("splits must be a list");
  for (const json& object : *splits) {
    if (!object.is_object()) return corrupt("splits must be a list of objects");
    SplitRule split;
    QT_TRY_VOID(from_json(object, split));
    out.pre_tokenizers.emplace_back(std::move(split));
  }
  QT_TRY(const int64_t space_at, int_field(root, "prefix_space_at"));
  if (space_at < -1 || space_at > std::ssize(out.pre_tokenizers))
    return corrupt("prefix_space_at is " + std::to_string(space_at));
  if (space_at >= 0)
    out.pre_tokenizers.insert(out.pre_tokenizers.begin() + space_at,
                              PrefixRule{.text = " ", .where_missing = true});
  return {};
}

Result<std::vector<int32_t>> read_ids(const json& root, const char* key) {
  QT_TRY(const std::vector<int64_t> values, int_list_field(root, key));
  std::vector<int32_t> ids;
  for (const int64_t value : values) {
    if (value < 0 || value > INT32_MAX) return corrupt(std::string(key) + " holds no id");
    ids.push_back(static_cast<int32_t>(value));
  }
  return ids;
}

Result<void> read_all_rules(const json& root, BpeSettings& out) {
  QT_TRY(out.byte_level, bool_field(root, "byte_level"));
  QT_TRY(out.byte_fallback, bool_field(root, "byte_fallback"));
  QT_TRY(out.fuse_unknown, bool_field(root, "fuse_unknown"));
  QT_TRY_VOID(read_rules(root, "normalizers", out.normalizers));
  QT_TRY_VOID(read_rules(root, "pre_tokenizers", out.pre_tokenizers));
  QT_TRY(out.before, read_ids(root, "before"));
  QT_TRY(out.after, read_ids(root, "after"));
  return read_rules(root, "decoders", out.decoders);
}

}  // namespace

Result<void> check_settings(const BpeSettings& settings) {
  if (settings.before.size() + settings.after.size() > kMaxSpecialTokens)
    return Error(Code::kExhausted, "puts more than " + std::to_string(kMaxSpecialTokens) +
                                       " special tokens around a text");
  return check_rules(settings.normalizers, settings.pre_tokenizers);
}

Result<std::string> settings_text(const BpeSettings& settings) {
  return json_text({{"version", kVersion},
                    {"byte_level", settings.byte_level},
                    {"byte_fallback", settings.byte_fallback},
                    {"fuse_unknown", settings.fuse_unknown},
                    {"ignore_merges", settings.ignore_merges},
                    {"unknown_id", settings.unknown_id},
                    {"normalizers", write_rules(settings.normalizers)},
                    {"pre_tokenizers", write_rules(settings.pre_tokenizers)},
                    {"before", settings.before},
                    {"after", settings.after},
                    {"decoders", write_rules(settings.decoders)}});
}

Result<BpeSettings> parse_settings(std::string_view text) {
  QT_TRY(const json root, parse_json(text, "settings"));
  QT_TRY(const int64_t version, int_field(root, "version"));
  if (version != kVersion && version != kByteLevelVersion)
    return Error(Code::kUnsupported, "tables of version " + std::to_string(version) +
                                         " cannot be read; convert the published model again");
  BpeSettings out;
  QT_TRY(out.unknown_id, small_int_field(root, "unknown_id"));
  QT_TRY(out.ignore_merges, bool_field(root, "ignore_merges"));
  QT_TRY_VOID(version == kVersion ? read_all_rules(root, out) : read_byte_level_rules(root, out));
  QT_TRY_VOID(check_settings(out));
  return out;
}

}  // namespace quintet::io
