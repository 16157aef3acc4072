#include "quintet/io/tokenizers/token_decoder.h"

#include <algorithm>
#include <utility>

namespace quintet::io {
namespace {

constexpr size_t kMaxRules = 32;
constexpr double kMaxGrowth = 256;
constexpr int32_t kMaxTrim = 1024;  // Decoders in use remove one space.
constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

int32_t hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_one_character(std::string_view text) {
  return !text.empty() && code_point_at(text, 0).bytes == text.size();
}

std::string_view trimmed(std::string_view text, const TrimRule& rule) {
  for (int32_t i = 0; i < rule.start && text.starts_with(rule.content); ++i)
    text.remove_prefix(rule.content.size());
  for (int32_t i = 0; i < rule.stop && text.ends_with(rule.content); ++i)
    text.remove_suffix(rule.content.size());
  return text;
}

ReplaceRule replacement_of(const MetaspaceRule& rule, bool first) {
  return {rule.replacement, PatternSyntax::kLiteral, first && rule.drop_first ? "" : " "};
}

Result<void> check_rule(const DecodeRule& rule) {
  if (const auto* replace = std::get_if<ReplaceRule>(&rule); replace && replace->pattern.empty())
    return Error(Code::kCorrupt, "the pattern of a replacement is empty");
  if (const auto* trim = std::get_if<TrimRule>(&rule))
    if (!is_one_character(trim->content) || trim->start < 0 || trim->stop < 0 ||
        std::max(trim->start, trim->stop) > kMaxTrim)
      return Error(Code::kCorrupt, "Strip needs one character and two counts from 0 to " +
                                       std::to_string(kMaxTrim));
  if (const auto* space = std::get_if<MetaspaceRule>(&rule))
    if (!is_one_character(space->replacement))
      return Error(Code::kCorrupt, "the replacement of Metaspace must be one character");
  return {};
}

Result<void> check_rule_of_text(const DecodeRule& rule) {
  const auto* replace = std::get_if<ReplaceRule>(&rule);
  const bool needs_all = replace != nullptr && (replace->syntax == PatternSyntax::kRegex ||
                                                !is_one_character(replace->pattern));
  if (needs_all || std::holds_alternative<ByteFallbackRule>(rule))
    return Error(Code::kUnsupported, needs_all
                                         ? "Replace behind Fuse can only replace a single character"
                                         : "ByteFallback behind Fuse");
  return {};
}

}  // namespace

int32_t byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  const int32_t high = hex_digit(token[3]);
  const int32_t low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

Result<TokenDecoder> TokenDecoder::compile(std::span<const DecodeRule> rules) {
  if (rules.size() > kMaxRules)
    return Error(Code::kExhausted, "has " + std::to_string(rules.size()) + " decoders; at most " +
                                       std::to_string(kMaxRules) + " are read");
  TokenDecoder out;
  bool fused = false;
  double growth = 1;
  for (const DecodeRule& rule : rules) {
    QT_TRY_VOID(check_rule(rule));
    if (fused) QT_TRY_VOID(check_rule_of_text(rule));
    Step step{rule, {}};
    if (const auto* replace = std::get_if<ReplaceRule>(&rule)) {
      growth *= growth_of(*replace);
      QT_TRY(Replacer replacer, Replacer::compile(*replace));
      step.replacer.push_back(std::move(replacer));
    } else if (const auto* space = std::get_if<MetaspaceRule>(&rule)) {
      for (const bool first : {false, true}) {
        QT_TRY(Replacer replacer, Replacer::compile(replacement_of(*space, first)));
        step.replacer.push_back(std::move(replacer));
      }
    }
    fused = fused || std::holds_alternative<FuseRule>(rule);
    (fused ? out.of_text_ : out.of_tokens_).push_back(std::move(step));
  }
  if (growth > kMaxGrowth)
    return Error(Code::kExhausted, "its decoders could make a token more than 256 times as long");
  return out;
}

std::string TokenDecoder::text_of(std::string_view token, bool first) const {
  std::string text(token);
  for (const Step& step : of_tokens_) {
    if (!step.replacer.empty()) {
      const bool other = first && step.replacer.size() > 1;
      const Replacer& replacer = step.replacer[other ? 1 : 0];
      if (!replacer.is_regex() || valid_utf8_bytes(text) == text.size())
        text = replacer.replaced(text);
    } else if (const auto* trim = std::get_if<TrimRule>(&step.rule)) {
      text = std::string(trimmed(text, *trim));
    } else if (const int32_t byte = byte_of_token(text); byte >= 0) {
      text.assign(1, static_cast<char>(byte));
    }
  }
  return text;
}

DecodeStream::DecodeStream(const TokenDecoder& decoder, InvalidUtf8 invalid)
    : decoder_(&decoder), invalid_(invalid) {
  std::string nothing;
  finish(nothing);
}

void DecodeStream::push(std::string_view token, std::string& out) {
  pending_ += decoder_->text_of(token, first_);
  first_ = false;
  pass_characters(false, out);
}

void DecodeStream::finish(std::string& out) {
  pass_characters(true, out);
  pass_text({}, true, out);
  first_ = true;
  trims_.clear();
  for (const TokenDecoder::Step& step : decoder_->of_text_) {
    const auto* trim = std::get_if<TrimRule>(&step.rule);
    trims_.push_back({trim == nullptr ? 0 : trim->start, {}});
  }
}

void DecodeStream::pass_characters(bool at_end, std::string& out) {
  size_t at = 0;
  std::string text;
  while (at < pending_.size()) {
    const size_t valid = valid_utf8_bytes(pending_, at);
    text.append(pending_, at, valid);
    at += valid;
    if (at == pending_.size()) break;
    const Utf8Part part = utf8_part_at(pending_, at);
    if (part.may_go_on && !at_end) break;
    if (invalid_ == InvalidUtf8::kReplace)
      text += kReplacementCharacter;
    else
      text.append(pending_, at, part.bytes);
    at += part.bytes;
  }
  pending_.erase(0, at);
  if (!text.empty()) pass_text(text, false, out);
}

void DecodeStream::pass_text(std::string_view text, bool at_end, std::string& out) {
  std::string owned(text);
  for (size_t i = 0; i < trims_.size(); ++i) {
    const TokenDecoder::Step& step = decoder_->of_text_[i];
    // All of the text is one token now, the first one.
    if (!step.replacer.empty()) owned = step.replacer.back().replaced(owned);
    const auto* rule = std::get_if<TrimRule>(&step.rule);
    if (rule == nullptr) continue;
    Trim& trim = trims_[i];
    size_t begin = 0;
    while (trim.to_drop > 0 && begin < owned.size()) {
      if (!std::string_view(owned).substr(begin).starts_with(rule->content)) {
        trim.to_drop = 0;
        break;
      }
      begin += rule->content.size();
      --trim.to_drop;
    }
    trim.held.append(owned, begin);
    // What may be the end stays until there is more.
    std::string_view certain = trim.held;
    certain = trimmed(certain, {rule->content, 0, rule->stop});
    owned.assign(certain);
    trim.held.erase(0, at_end ? trim.held.size() : certain.size());
  }
  out += owned;
}

}  // namespace quintet::io
