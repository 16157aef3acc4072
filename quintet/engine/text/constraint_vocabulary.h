// The texts of a model's tokens, for constraints on what it writes.
#pragma once

#include <memory>

#include "quintet/engine/decode/vocabulary_trie.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::text {

// What each token adds to a text that stands before it; nothing for special tokens.
// Shapes: as many tokens as `vocabulary`. Cost: one pass over the vocabulary.
std::shared_ptr<const decode::VocabularyTrie> constraint_vocabulary(
    const io::BpeTokenizer& tokenizer, int64_t vocabulary);

}  // namespace quintet::text
