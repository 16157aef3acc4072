#include "quintet/io/tokenizers/stream_decoder.h"

#include <utility>

namespace quintet::io {

StreamDecoder::StreamDecoder(BpeTokenizer tokenizer, SpecialTokens specials)
    : tokenizer_(std::move(tokenizer)),
      specials_(specials),
      stream_(tokenizer_.decoder(), InvalidUtf8::kReplace) {}

std::string StreamDecoder::push(int32_t id) {
  std::string text;
  const bool skip = specials_ == SpecialTokens::kSkip && tokenizer_.is_special(id);
  if (!skip && tokenizer_.knows(id)) stream_.push(tokenizer_.token_bytes(id), text);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  stream_.finish(text);
  return text;
}

}  // namespace quintet::io
