// Text of tokens as they come, for showing it while a model still writes.
#pragma once

#include <cstdint>
#include <string>

#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::io {

// What it has given so far and still gives makes decode() of the ids so far, with U+FFFD for what
// is not UTF-8 (one for each maximal part of a character).
class StreamDecoder {
 public:
  explicit StreamDecoder(BpeTokenizer tokenizer, SpecialTokens specials = SpecialTokens::kSkip);

  // The text that is certain now: whole characters, often none. Unknown ids give none.
  std::string push(int32_t id);

  // What was held back. After it a new text begins.
  std::string finish();

 private:
  BpeTokenizer tokenizer_;
  SpecialTokens specials_;
  DecodeStream stream_;
};

}  // namespace quintet::io
