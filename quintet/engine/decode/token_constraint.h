// Choosing tokens so that the text satisfies a JSON schema.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/decode/json_grammar.h"
#include "quintet/engine/decode/json_state.h"
#include "quintet/engine/decode/vocabulary_trie.h"

namespace quintet::decode {

// The text of one sequence, token by token. For each: mask the logits, choose, accept.
// Cost: what is allowed in a place is remembered, so that it is worked out once; inside strings it
// is mostly known beforehand. bench: token_constraint_bench.cc.
class TokenConstraint {
 public:
  // `end_tokens` end the text; they are allowed where it is whole.
  TokenConstraint(std::shared_ptr<const VocabularyTrie> vocabulary, const JsonGrammar& grammar,
                  std::vector<int32_t> end_tokens);

  // Sets the logits of all tokens that may not follow to -inf. Shape: [V]; what is beyond the
  // vocabulary may not follow either.
  // Errors: kUnsupported where no token that may follow has a finite logit: the text stands in a
  // dead end.
  Result<void> mask(std::span<float> logits);

  // Whether the token may follow.
  bool allows(int32_t token);

  // Errors: kInvalidArgument where the token may not follow; then nothing changes.
  Result<void> accept(int32_t token);

  // Whether an end token was accepted.
  bool is_finished() const { return finished_; }
  const JsonState& state() const { return state_; }

 private:
  const TokenSet& allowed_tokens();
  TokenSet work_out(const JsonState& state);
  bool is_end(int32_t token) const;

  std::shared_ptr<const VocabularyTrie> vocabulary_;
  std::vector<int32_t> end_tokens_;
  JsonState state_;
  bool finished_ = false;

  struct Known {
    JsonState state;
    TokenSet allowed;
  };
  std::unordered_map<uint64_t, std::vector<Known>> known_;  // By the hash of the state.
  size_t known_count_ = 0;
  std::vector<JsonState> path_;  // Room for a walk: a state for each byte of a token.
};

}  // namespace quintet::decode
