// What a byte-level BPE tokenizer consists of, whatever file it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/io/tokenizers/added_tokens.h"
#include "quintet/io/tokenizers/split_pattern.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {

// Text goes through the members in the order in which they stand here, from `normalizers` on.
struct BpeDefinition {
  std::vector<std::pair<std::string, int32_t>> vocabulary;  // Tokens in the byte-level alphabet.
  std::vector<std::pair<std::string, std::string>>
      merges;  // In the alphabet; the first goes first.
  std::vector<AddedToken> added_tokens;
  std::string unknown_token;  // For bytes that the vocabulary lacks; empty: they are dropped.

  std::vector<NormalForm> normalizers;
  std::vector<SplitRule> splits;  // Each applies to the pieces of the one before.
  bool add_prefix_space = false;  // Puts a space before each piece that does not begin with one.
  bool gpt2_split = false;        // Last, GPT-2's split into words.
  bool ignore_merges = false;     // A piece that is in the vocabulary is one token, merges or not.
};

}  // namespace quintet::io
