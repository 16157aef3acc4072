// The parts of a tokenizer.json that are about text: normalizer, pre_tokenizer, post_processor and
// decoder. Each reads one of them, `value`, null where the file has none.
// Errors: kCorrupt; kUnsupported, naming the type that is not known.
#pragma once

#include <nlohmann/json.hpp>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/bpe_definition.h"

namespace quintet::io {

Result<void> read_normalizers(const nlohmann::json& value, BpeDefinition& out);
// Sets `byte_level` too: whether the steps end in ByteLevel.
Result<void> read_pre_tokenizers(const nlohmann::json& value, BpeDefinition& out);
Result<void> read_post_processors(const nlohmann::json& value, BpeDefinition& out);
// REQUIRES: `byte_level` is set.
Result<void> read_decoders(const nlohmann::json& value, BpeDefinition& out);

}  // namespace quintet::io
