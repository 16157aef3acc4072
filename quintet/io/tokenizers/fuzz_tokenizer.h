// What the fuzz targets of this folder do with a tokenizer that was accepted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"
#include "quintet/io/tokenizers/stream_decoder.h"

namespace quintet::io {

// Encodes and decodes at most 256 bytes of `text`, and checks what the tokenizer promises.
inline void use_tokenizer(const BpeTokenizer& tokenizer, std::string_view text) {
  constexpr size_t kMostText = 256;
  const std::vector<int32_t> ids = tokenizer.encode(text.substr(0, kMostText), AddSpecial::kYes);
  StreamDecoder stream(tokenizer, SpecialTokens::kKeep);
  std::string streamed;
  for (const int32_t id : ids) {
    QT_CHECK(id >= 0 && id < tokenizer.size());
    streamed += stream.push(id);
    QT_CHECK(valid_utf8_bytes(streamed) == streamed.size());
  }
  streamed += stream.finish();
  QT_CHECK(valid_utf8_bytes(streamed) == streamed.size());
  const std::string decoded = tokenizer.decode(ids, SpecialTokens::kKeep);
  const bool only_joins =
      std::ranges::all_of(tokenizer.tables().settings.decoders, [](const DecodeRule& rule) {
        return std::holds_alternative<FuseRule>(rule) ||
               std::holds_alternative<ByteFallbackRule>(rule);
      });
  if (only_joins && valid_utf8_bytes(decoded) == decoded.size()) QT_CHECK(decoded == streamed);
  static_cast<void>(tokenizer.token_id(decoded));
  for (int32_t id = -1; id <= tokenizer.size() && id < 2048; ++id)
    static_cast<void>(tokenizer.token_id(tokenizer.token_bytes(id)));
}

}  // namespace quintet::io
