#include "quintet/io/tokenizers/text_rules.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace quintet::io {
namespace {

constexpr size_t kMaxRules = 64;    // Tokenizers in use have up to five.
constexpr double kMaxGrowth = 256;  // Theirs make a text up to twelve times as long.

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

double growth_of(const PrefixRule& rule) { return 1.0 + static_cast<double>(rule.text.size()); }

// 1 for what keeps about the length.
template <typename... Rules>
double growth_of_all(std::span<const std::variant<Rules...>> rules) {
  double growth = 1;
  for (const auto& rule : rules) {
    growth *= std::visit(Overloaded{[](const ReplaceRule& r) { return io::growth_of(r); },
                                    [](const PrefixRule& r) { return growth_of(r); },
                                    [](const auto&) { return 1.0; }},
                         rule);
  }
  return growth;
}

template <typename... Rules>
bool looks_for_nothing(std::span<const std::variant<Rules...>> rules) {
  return std::ranges::any_of(rules, [](const auto& rule) {
    const auto* replace = std::get_if<ReplaceRule>(&rule);
    return replace != nullptr && replace->pattern.empty();
  });
}

// `change` of each run of valid UTF-8.
template <typename Change>
std::string map_valid_parts(std::string_view text, const Change& change) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t valid = valid_utf8_bytes(text, at);
    if (valid > 0) out += change(text.substr(at, valid));
    at += valid;
    if (at < text.size()) out += text[at++];
  }
  return out;
}

std::string_view stripped(std::string_view text, const StripRule& rule) {
  while (rule.left) {
    const CodePoint c = code_point_at(text, 0);
    if (c.bytes == 0 || !is_space(c.value)) break;
    text.remove_prefix(c.bytes);
  }
  while (rule.right) {
    const CodePoint c = code_point_before(text, text.size());
    if (c.bytes == 0 || !is_space(c.value)) break;
    text.remove_suffix(c.bytes);
  }
  return text;
}

}  // namespace

double growth_of(const ReplaceRule& rule) {
  // An expression may match a single byte, or nothing before each one.
  const auto content = static_cast<double>(rule.content.size());
  if (rule.syntax == PatternSyntax::kRegex) return 1 + content;
  return std::max(1.0, content / static_cast<double>(std::max<size_t>(1, rule.pattern.size())));
}

Result<void> check_rules(std::span<const Normalizer> normalizers,
                         std::span<const PreTokenizer> pre_tokenizers) {
  const size_t rules = normalizers.size() + pre_tokenizers.size();
  if (rules > kMaxRules)
    return Error(Code::kExhausted, "has " + std::to_string(rules) +
                                       " normalizers and splits; at most " +
                                       std::to_string(kMaxRules) + " are read");
  if (looks_for_nothing(normalizers) || looks_for_nothing(pre_tokenizers))
    return Error(Code::kCorrupt, "the pattern of a replacement is empty");
  if (growth_of_all(normalizers) * growth_of_all(pre_tokenizers) > kMaxGrowth)
    return Error(Code::kExhausted,
                 "its replacements could make a text more than 256 times as long");
  return {};
}

Result<Replacer> Replacer::compile(ReplaceRule rule) {
  Replacer out(std::move(rule));
  if (out.rule_.syntax == PatternSyntax::kLiteral) return out;
  QT_TRY(out.regex_, SplitPattern::compile(out.rule_.pattern, {}));
  return out;
}

std::string Replacer::replaced(std::string_view text) const {
  if (regex_) return regex_->replaced(text, rule_.content);
  std::string out;
  size_t done = 0;
  for (size_t at = 0; (at = text.find(rule_.pattern, at)) != std::string_view::npos;) {
    out.append(text.substr(done, at - done)).append(rule_.content);
    done = at += rule_.pattern.size();
  }
  return out.append(text.substr(done));
}

Result<TextNormalizer> TextNormalizer::compile(std::span<const Normalizer> rules) {
  TextNormalizer out;
  for (const Normalizer& rule : rules) {
    if (const auto* replace = std::get_if<ReplaceRule>(&rule)) {
      QT_TRY(Replacer replacer, Replacer::compile(*replace));
      out.steps_.emplace_back(std::move(replacer));
      continue;
    }
    std::visit(
        [&](const auto& r) {
          if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(r)>, ReplaceRule>)
            out.steps_.emplace_back(r);
        },
        rule);
  }
  return out;
}

std::string TextNormalizer::normalized(std::string_view text) const {
  std::string out(text);
  const Overloaded apply{
      [&](NormalForm form) {
        return map_valid_parts(out, [&](std::string_view t) { return normalize_unicode(t, form); });
      },
      [&](const LowercaseRule&) { return map_valid_parts(out, lowercase_characters); },
      [&](const StripRule& rule) { return std::string(stripped(out, rule)); },
      [&](const Replacer& r) {
        if (!r.is_regex()) return r.replaced(out);
        return map_valid_parts(out, [&](std::string_view t) { return r.replaced(t); });
      },
      [&](const PrefixRule& rule) { return out.empty() ? out : rule.text + out; }};
  for (const Step& step : steps_) out = std::visit(apply, step);
  return out;
}

Result<WordSplitter> WordSplitter::compile(std::span<const PreTokenizer> rules) {
  WordSplitter out;
  for (const PreTokenizer& rule : rules) {
    if (const auto* split = std::get_if<SplitRule>(&rule)) {
      QT_TRY(SplitPattern pattern, SplitPattern::compile(split->pattern, split->options));
      out.steps_.emplace_back(std::move(pattern));
    } else if (const auto* replace = std::get_if<ReplaceRule>(&rule)) {
      QT_TRY(Replacer replacer, Replacer::compile(*replace));
      out.steps_.emplace_back(std::move(replacer));
    } else {
      out.steps_.emplace_back(std::get<PrefixRule>(rule));
    }
  }
  return out;
}

void WordSplitter::visit(const TextSection& section, size_t step, const Visit& word) const {
  if (section.text.empty()) return;
  if (step == steps_.size()) return word(section.text);
  TextSection next = section;
  if (const auto* pattern = std::get_if<SplitPattern>(&steps_[step])) {
    for (const std::string_view part : pattern->split(section.text)) {
      const bool first = part.data() == section.text.data();
      next = {part, first && section.at_start, !first || section.may_prefix};
      visit(next, step + 1, word);
    }
    return;
  }
  std::string owned;
  if (const auto* replacer = std::get_if<Replacer>(&steps_[step])) {
    next.text = owned = replacer->replaced(section.text);
    return visit(next, step + 1, word);
  }
  const auto& prefix = std::get<PrefixRule>(steps_[step]);
  const bool there = prefix.where_missing && section.text.starts_with(prefix.text);
  if (!there && section.may_prefix && (!prefix.at_start || section.at_start))
    next.text = owned = prefix.text + std::string(section.text);
  visit(next, step + 1, word);
}

}  // namespace quintet::io
