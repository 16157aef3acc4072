// The settings of a BPE tokenizer, and how they stand in a packed file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/bpe_definition.h"

namespace quintet::io {

struct BpeSettings : BpeRules {
  int32_t unknown_id = -1;  // For what no token stands for; -1: it is dropped.
};

// Errors: as check_rules.
Result<void> check_settings(const BpeSettings& settings);

// JSON, see docs/formats/packed.md. Errors: kInvalidArgument where a pattern is not UTF-8.
Result<std::string> settings_text(const BpeSettings& settings);

// From the text of this version or of the first, which knew byte-level BPE only.
// Errors: kCorrupt; kUnsupported for another version; as check_settings.
Result<BpeSettings> parse_settings(std::string_view text);

}  // namespace quintet::io
