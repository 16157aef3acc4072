// Hugging Face's tokenizer.json, as far as it describes BPE.
#pragma once

#include <cstdint>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/bpe_definition.h"

namespace quintet::io {

inline constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t{64} << 20;

// Errors: see BpeTokenizer::parse. Truncation and padding are not read, and of
// the post-processor what it does to a single text.
// Source: the format of tokenizers 0.21, which has no other description.
Result<BpeDefinition> parse_tokenizer_json(std::string_view json, std::string_view name);

}  // namespace quintet::io
