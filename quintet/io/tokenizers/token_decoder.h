// From the contents of tokens back to text, as the decoder of a tokenizer file says.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/text_rules.h"

namespace quintet::io {

// "<0x0A>" is the byte 0x0a.
struct ByteFallbackRule {};
// Joins the tokens: what stands behind it is about the whole text.
struct FuseRule {};
// Removes `content`, one character, up to `start` times at the beginning and `stop` times at the
// end.
struct TrimRule {
  std::string content;
  int32_t start = 0;
  int32_t stop = 0;
};
// `replacement`, one character, is a space; in the first token nothing, where `drop_first`.
struct MetaspaceRule {
  std::string replacement;
  bool drop_first = true;
};
using DecodeRule = std::variant<ReplaceRule, ByteFallbackRule, FuseRule, TrimRule, MetaspaceRule>;

// The byte that a token of the form "<0x0A>" stands for, -1 for others.
int32_t byte_of_token(std::string_view token);

// How text comes out that is not UTF-8: as it is, or each maximal part of a character as U+FFFD.
enum class InvalidUtf8 { kKeep, kReplace };

// Threads: const methods are safe concurrently.
class TokenDecoder {
 public:
  TokenDecoder() = default;
  // Errors: kUnsupported where a pattern does not compile, or where a rule stands behind FuseRule
  // that needs the whole text (replacing more than one character); kExhausted and kCorrupt as
  // check_rules.
  static Result<TokenDecoder> compile(std::span<const DecodeRule> rules);

 private:
  friend class DecodeStream;
  struct Step {
    DecodeRule rule;
    std::vector<Replacer> replacer;  // One of a ReplaceRule, else none.
  };
  std::string text_of(std::string_view token, bool first) const;

  std::vector<Step> of_tokens_;
  std::vector<Step> of_text_;
};

// The text of tokens that come one by one, in whole characters.
class DecodeStream {
 public:
  // REQUIRES: `decoder` outlives it.
  DecodeStream(const TokenDecoder& decoder, InvalidUtf8 invalid);

  // Appends what is certain from now on. `token`: as the vocabulary has it.
  void push(std::string_view token, std::string& out);
  // Appends the rest. The next token is a first one again.
  void finish(std::string& out);

 private:
  void pass_characters(bool at_end, std::string& out);
  void pass_text(std::string_view text, bool at_end, std::string& out);

  const TokenDecoder* decoder_;
  InvalidUtf8 invalid_;
  bool first_ = true;
  std::string pending_;  // At most a part of a character, between calls.
  struct Trim {
    int32_t to_drop;
    std::string held;  // Might be the end.
  };
  std::vector<Trim> trims_;  // [rules of the text]
};

}  // namespace quintet::io
