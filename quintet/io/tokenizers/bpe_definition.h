// What a BPE tokenizer consists of, whatever file it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/io/tokenizers/added_tokens.h"
#include "quintet/io/tokenizers/text_rules.h"
#include "quintet/io/tokenizers/token_decoder.h"

namespace quintet::io {

// Everything but the tokens. Text goes through the members in the order in which they stand here,
// from `normalizers` on.
struct BpeRules {
  // What merges: the bytes of a word (GPT-2's kind), or its characters (SentencePiece's).
  bool byte_level = true;
  // A character that is no token becomes the tokens "<0xC3>" and so on of its bytes.
  bool byte_fallback = false;
  bool fuse_unknown = false;   // Unknown characters that adjoin become one token.
  bool ignore_merges = false;  // A piece that is in the vocabulary is one token, merges or not.

  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  std::vector<int32_t> before;  // Ids around the text, where special tokens are asked for.
  std::vector<int32_t> after;
  std::vector<DecodeRule> decoders;
};

struct BpeDefinition : BpeRules {
  // In the byte-level alphabet, or as plain text; merges as well.
  std::vector<std::pair<std::string, int32_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // The first goes first.
  std::vector<int32_t> merge_ranks;  // Of each merge, where several share one; empty: its place.
  std::vector<AddedToken> added_tokens;
  std::string unknown_token;  // For what the vocabulary lacks; empty: it is dropped.
  bool gpt2_split = false;    // Behind the pre-tokenizers, GPT-2's split into words.
};

}  // namespace quintet::io
