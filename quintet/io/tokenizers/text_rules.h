// What a tokenizer does to text before it merges: the rules that its file names, and their work.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/split_pattern.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {

// Lower case, each character by itself.
struct LowercaseRule {};

// Removes the white space at the ends.
struct StripRule {
  bool left = true;
  bool right = true;
};

struct ReplaceRule {
  std::string pattern;
  PatternSyntax syntax = PatternSyntax::kLiteral;
  std::string content;
};

// Puts `text` in front of what is not empty.
struct PrefixRule {
  std::string text;
  bool where_missing = false;  // Not where it stands there already.
  bool at_start = false;       // Only where the whole text begins, not behind an added token.
};

// Of the text between two added tokens. Bytes that are not UTF-8 stay, and nothing joins over them.
using Normalizer = std::variant<NormalForm, LowercaseRule, StripRule, ReplaceRule, PrefixRule>;
// Of its pieces: each rule works on those of the rule before.
using PreTokenizer = std::variant<SplitRule, ReplaceRule, PrefixRule>;

// Errors: kExhausted where there are more rules than a tokenizer may have, or where together they
// can make a text more than 256 times as long; kCorrupt where a rule has nothing to look for.
Result<void> check_rules(std::span<const Normalizer> normalizers,
                         std::span<const PreTokenizer> pre_tokenizers);

// How many times as long it can make a text.
double growth_of(const ReplaceRule& rule);

// A ReplaceRule at work. Threads: const methods are safe concurrently.
class Replacer {
 public:
  // Errors: as SplitPattern::compile.
  static Result<Replacer> compile(ReplaceRule rule);
  // REQUIRES: `text` is valid UTF-8 where the rule is a regular expression.
  std::string replaced(std::string_view text) const;
  bool is_regex() const { return regex_.has_value(); }

 private:
  explicit Replacer(ReplaceRule rule) : rule_(std::move(rule)) {}
  ReplaceRule rule_;
  std::optional<SplitPattern> regex_;
};

// Threads: const methods are safe concurrently.
class TextNormalizer {
 public:
  TextNormalizer() = default;
  // Errors: kUnsupported where a pattern does not compile.
  static Result<TextNormalizer> compile(std::span<const Normalizer> rules);
  bool empty() const { return steps_.empty(); }
  std::string normalized(std::string_view text) const;

 private:
  using Step = std::variant<NormalForm, LowercaseRule, StripRule, Replacer, PrefixRule>;
  std::vector<Step> steps_;
};

// A part of a text on its way to words.
struct TextSection {
  std::string_view text;
  bool at_start = false;   // The whole text begins here.
  bool may_prefix = true;  // Not so behind bytes that are not UTF-8: they are a part of it.
};

// Threads: const methods are safe concurrently.
class WordSplitter {
 public:
  using Visit = std::function<void(std::string_view)>;

  WordSplitter() = default;
  // Errors: kUnsupported where a pattern does not compile.
  static Result<WordSplitter> compile(std::span<const PreTokenizer> rules);

  // Calls `word` with each word of the section, in order. The view holds during the call.
  // REQUIRES: the text is valid UTF-8.
  void split(const TextSection& section, const Visit& word) const { visit(section, 0, word); }

 private:
  using Step = std::variant<SplitPattern, Replacer, PrefixRule>;
  void visit(const TextSection& section, size_t step, const Visit& word) const;

  std::vector<Step> steps_;
};

}  // namespace quintet::io
