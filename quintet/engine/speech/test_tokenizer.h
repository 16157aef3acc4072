// Small tokenizers for the tests in this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/io/tokenizers/bpe_tokenizer.h"
#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::speech::testing {

// Tokens 0 to 255 are the bytes, `texts` of more than one byte follow from 256 on, and `specials`
// have the ids given.
inline io::BpeTokenizer make_tokenizer(
    const std::vector<std::string>& texts,
    const std::vector<std::pair<std::string, int32_t>>& specials = {}) {
  io::BpeDefinition definition;
  definition.gpt2_split = true;
  int32_t id = 0;
  for (int byte = 0; byte < 256; ++byte) {
    definition.vocabulary.emplace_back(
        io::bytes_to_alphabet(std::string(1, static_cast<char>(byte))), id++);
  }
  for (const std::string& text : texts) {
    if (text.size() > 1) definition.vocabulary.emplace_back(io::bytes_to_alphabet(text), id++);
  }
  for (const auto& [content, special_id] : specials) {
    definition.added_tokens.push_back({.content = content, .id = special_id, .special = true});
  }
  auto tokenizer = io::BpeTokenizer::build(definition, "test");
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *std::move(tokenizer);
}

// The special tokens of a model, `end_of_text` first, with languages and the given name of the
// token before <|notimestamps|>, in the order in which every published model has them.
inline std::vector<std::pair<std::string, int32_t>> special_tokens(
    int32_t end_of_text, const std::vector<std::string>& languages,
    const std::string& no_speech = "<|nospeech|>") {
  std::vector<std::string> names = {"<|endoftext|>", "<|startoftranscript|>"};
  for (const std::string& code : languages) names.push_back("<|" + code + "|>");
  for (const char* name : {"<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"}) {
    names.emplace_back(name);
  }
  names.push_back(no_speech);
  names.emplace_back("<|notimestamps|>");
  std::vector<std::pair<std::string, int32_t>> tokens;
  for (const std::string& name : names) tokens.emplace_back(name, end_of_text++);
  return tokens;
}

}  // namespace quintet::speech::testing
