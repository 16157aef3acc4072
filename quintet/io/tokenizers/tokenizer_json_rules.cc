#include "quintet/io/tokenizers/tokenizer_json_rules.h"

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
Error unknown_type(const std::string& type, const char* known) {
  return unsupported("type " + in_quotes(type) + "; known are " + known);
}

// The member `key`; null where it is missing or `object` is none.
const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
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

struct Pattern {
  std::string text;
  PatternSyntax syntax;
};

Result<Pattern> read_pattern(const Json& step) {
  const Json& pattern = member(step, "pattern");
  const bool is_regex = member(pattern, "Regex").is_string();
  if (!is_regex && !member(pattern, "String").is_string())
    return corrupt("\"pattern\" must be {\"Regex\": ...} or {\"String\": ...}");
  QT_TRY(std::string text, string_field(pattern, is_regex ? "Regex" : "String"));
  return Pattern{std::move(text), is_regex ? PatternSyntax::kRegex : PatternSyntax::kLiteral};
}

Result<ReplaceRule> read_replace(const Json& step) {
  QT_TRY(Pattern pattern, read_pattern(step));
  QT_TRY(std::string content, string_field(step, "content"));
  return ReplaceRule{std::move(pattern.text), pattern.syntax, std::move(content)};
}

Result<void> read_normalizer(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(step, "type"));
  for (const auto& [name, form] : kNormalFormNames) {
    if (type != name) continue;
    out.normalizers.emplace_back(form);
    return {};
  }
  if (type == "Lowercase") {
    out.normalizers.emplace_back(LowercaseRule{});
  } else if (type == "Strip") {
    StripRule strip;
    QT_TRY(strip.left, bool_field(step, "strip_left", true));
    QT_TRY(strip.right, bool_field(step, "strip_right", true));
    out.normalizers.emplace_back(strip);
  } else if (type == "Prepend") {
    QT_TRY(std::string text, string_field(step, "prepend"));
    out.normalizers.emplace_back(PrefixRule{.text = std::move(text)});
  } else if (type == "Replace") {
    QT_TRY(ReplaceRule replace, read_replace(step));
    out.normalizers.emplace_back(std::move(replace));
  } else {
    return unknown_type(type,
                        "NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace and Sequence");
  }
  return {};
}

Result<SplitBehavior> read_behavior(const Json& step) {
  QT_TRY(const std::string name, string_field(step, "behavior"));
  for (const auto& [known, behavior] : kSplitBehaviorNames)
    if (name == known) return behavior;
  return unsupported("behavior " + in_quotes(name));
}

Result<void> read_split(const Json& step, BpeDefinition& out) {
  QT_TRY(Pattern pattern, read_pattern(step));
  SplitRule split{.pattern = std::move(pattern.text), .options = {.syntax = pattern.syntax}};
  QT_TRY(split.options.behavior, read_behavior(step));
  QT_TRY(split.options.invert, bool_field(step, "invert", false));
  out.pre_tokenizers.emplace_back(std::move(split));
  return {};
}

enum class Prepend { kAlways, kFirst, kNever };

Result<Prepend> read_prepend_scheme(const Json& step) {
  QT_TRY(const bool add_space, bool_field(step, "add_prefix_space", true));
  QT_TRY(const std::string scheme,
         string_field(step, "prepend_scheme", add_space ? "always" : "never"));
  if (scheme == "always") return Prepend::kAlways;
  if (scheme == "first") return Prepend::kFirst;
  if (scheme == "never") return Prepend::kNever;
  return unsupported("prepend_scheme " + in_quotes(scheme));
}

Result<void> read_metaspace(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string replacement, string_field(step, "replacement"));
  QT_TRY(const Prepend prepend, read_prepend_scheme(step));
  QT_TRY(const bool split, bool_field(step, "split", true));
  if (replacement.empty()) return corrupt("\"replacement\" is empty");
  out.pre_tokenizers.emplace_back(ReplaceRule{.pattern = " ", .content = replacement});
  if (prepend != Prepend::kNever)
    out.pre_tokenizers.emplace_back(PrefixRule{
        .text = replacement, .where_missing = true, .at_start = prepend == Prepend::kFirst});
  if (split)
    out.pre_tokenizers.emplace_back(
        SplitRule{replacement,
                  {.syntax = PatternSyntax::kLiteral, .behavior = SplitBehavior::kMergedWithNext}});
  return {};
}

Result<void> read_pre_tokenizer(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(step, "type"));
  if (type == "Split") return read_split(step, out);
  if (type == "Metaspace") return read_metaspace(step, out);
  if (type == "Digits") {
    QT_TRY(const bool individual, bool_field(step, "individual_digits", false));
    const SplitBehavior behavior =
        individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    out.pre_tokenizers.emplace_back(SplitRule{R"(\p{N})", {.behavior = behavior}});
    return {};
  }
  if (type == "ByteLevel") {
    QT_TRY(const bool add_space, bool_field(step, "add_prefix_space", true));
    QT_TRY(out.gpt2_split, bool_field(step, "use_regex", true));
    if (add_space) out.pre_tokenizers.emplace_back(PrefixRule{.text = " ", .where_missing = true});
    return {};
  }
  return unknown_type(type, "Split, Digits, Metaspace, ByteLevel and Sequence");
}

Result<int32_t> to_id(const Json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX)
    return corrupt("an id must be an integer from 0 to 2^31-1");
  return value.get<int32_t>();
}

Result<void> read_template(const Json& step, BpeDefinition& out) {
  const Json& pieces = member(step, "single");
  if (!pieces.is_array() || pieces.size() > kMaxSteps)
    return corrupt("\"single\" must be an array of at most " + std::to_string(kMaxSteps));
  int texts = 0;
  for (const Json& piece : pieces) {
    if (const Json& sequence = member(piece, "Sequence"); !sequence.is_null()) {
      if (member(sequence, "id") != "A") return corrupt("\"single\" has a sequence other than A");
      ++texts;
      continue;
    }
    QT_TRY(const std::string name, string_field(member(piece, "SpecialToken"), "id"));
    const Json& token = member(member(step, "special_tokens"), name.c_str());
    if (!member(token, "ids").is_array())
      return corrupt("\"special_tokens\" lacks the ids of " + in_quotes(name));
    for (const Json& value : member(token, "ids")) {
      QT_TRY(const int32_t id, to_id(value));
      (texts == 0 ? out.before : out.after).push_back(id);
    }
  }
  if (texts != 1) return corrupt("\"single\" must have the sequence A once");
  return {};
}

// The two of BERT and RoBERTa, which differ for pairs of texts only.
Result<void> read_cls_and_sep(const Json& step, BpeDefinition& out) {
  for (const auto& [key, ids] : {std::pair("cls", &out.before), std::pair("sep", &out.after)}) {
    const Json& pair = member(step, key);
    if (!pair.is_array() || pair.size() != 2)
      return corrupt(in_quotes(key) + " must be a token and its id");
    QT_TRY(const int32_t id, to_id(pair[1]));
    ids->push_back(id);
  }
  return {};
}

Result<void> read_post_processor(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(step, "type"));
  if (type == "ByteLevel") return {};  // About offsets.
  if (type == "TemplateProcessing") return read_template(step, out);
  if (type == "BertProcessing" || type == "RobertaProcessing") return read_cls_and_sep(step, out);
  return unknown_type(
      type, "TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing and Sequence");
}

Result<void> read_trim(const Json& step, BpeDefinition& out) {
  TrimRule trim;
  QT_TRY(trim.content, string_field(step, "content"));
  QT_TRY(const int64_t start, int_field(step, "start"));
  QT_TRY(const int64_t stop, int_field(step, "stop"));
  for (const int64_t count : {start, stop})
    if (count < 0 || count > INT32_MAX) return corrupt("Strip has a count below 0 or too high");
  trim.start = static_cast<int32_t>(start);
  trim.stop = static_cast<int32_t>(stop);
  out.decoders.emplace_back(std::move(trim));
  return {};
}

Result<void> read_decoder(const Json& step, BpeDefinition& out) {
  QT_TRY(const std::string type, string_field(step, "type"));
  if (type == "Replace") {
    QT_TRY(ReplaceRule replace, read_replace(step));
    out.decoders.emplace_back(std::move(replace));
  } else if (type == "ByteFallback") {
    out.decoders.emplace_back(ByteFallbackRule{});
  } else if (type == "Fuse") {
    out.decoders.emplace_back(FuseRule{});
  } else if (type == "Strip") {
    return read_trim(step, out);
  } else if (type == "Metaspace") {
    MetaspaceRule space;
    QT_TRY(space.replacement, string_field(step, "replacement"));
    QT_TRY(const Prepend prepend, read_prepend_scheme(step));
    space.drop_first = prepend != Prepend::kNever;
    out.decoders.emplace_back(std::move(space));
  } else {
    return unknown_type(type,
                        "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace and Sequence");
  }
  return {};
}

}  // namespace

Result<void> read_normalizers(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "normalizers"));
  for (const Json* step : steps) QT_TRY_VOID(read_normalizer(*step, out));
  return {};
}

Result<void> read_pre_tokenizers(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "pretokenizers"));
  out.byte_level = !steps.empty() && member(*steps.back(), "type") == "ByteLevel";
  for (const Json* step : steps) {
    if (step != steps.back() && member(*step, "type") == "ByteLevel")
      return unsupported("ByteLevel before the end of the sequence");
    QT_TRY_VOID(read_pre_tokenizer(*step, out));
  }
  return {};
}

Result<void> read_post_processors(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "processors"));
  int around = 0;
  for (const Json* step : steps) {
    QT_TRY_VOID(read_post_processor(*step, out));
    if (member(*step, "type") != "ByteLevel" && ++around > 1)
      return unsupported("two steps that put tokens around the text");
  }
  return {};
}

Result<void> read_decoders(const Json& value, BpeDefinition& out) {
  QT_TRY(const std::vector<const Json*> steps, steps_of(value, "decoders"));
  for (const Json* step : steps) {
    const bool turns_to_bytes = member(*step, "type") == "ByteLevel";
    if (turns_to_bytes != (out.byte_level && step == steps.front()))
      return unsupported(
          "ByteLevel must come first behind a pre-tokenizer that ends in it, and "
          "nowhere else");
    if (turns_to_bytes)
      out.decoders.emplace_back(FuseRule{});  // The tokens are kept as bytes.
    else
      QT_TRY_VOID(read_decoder(*step, out));
  }
  return {};
}

}  // namespace quintet::io
