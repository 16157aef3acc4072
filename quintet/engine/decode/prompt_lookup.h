// Speculation without a second model: what followed the last tokens where they stood before is
// proposed to follow again. A pass that checks the proposal changes no answer (the caller takes
// only tokens that it would have chosen anyway); it gives several tokens where the text repeats
// itself. Source: prompt lookup decoding, Saxena 2023; Leviathan et al. 2023 for what a proposal is
// worth.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace quintet::decode {

// Speed only: answers do not depend on it.
struct PromptLookupOptions {
  int64_t longest_match = 3;   // Last tokens that are looked for at first,
  int64_t shortest_match = 1;  // and at last.
  int64_t longest_proposal = 16;
  // What checking one more token takes, over a pass for one token. A token is proposed where that
  // is less than the probability that it and all before it are right.
  float cost_of_a_token = 0.2f;
};

// Tokens in, proposals out. Threads: one at a time.
class PromptLookup {
 public:
  // REQUIRES: 1 <= shortest_match <= longest_match <= 16, longest_proposal >= 0.
  explicit PromptLookup(const PromptLookupOptions& options);

  // Tokens of the prompt and then of the answer, in their order. Those after a proposal show how
  // good it was, and later proposals are as long as earlier ones were right.
  // Cost: longest_match entries of a table for each token.
  void append(std::span<const int32_t> tokens);

  // Up to `limit` tokens that may follow, after the longest match and of those the latest. Empty:
  // there is none, or proposals were wrong too often lately.
  // Cost: as many look-ups as lengths of a match. Valid until the next call.
  std::span<const int32_t> propose(int64_t limit);

 private:
  void append_one(int32_t token);
  void learn(int32_t token);
  uint64_t key(int64_t end, int64_t length) const;
  // Where the last `length` tokens ended before; 0: nowhere.
  int64_t find(int64_t length) const;
  int64_t worthwhile(float rate) const;
  float& rate(int64_t length) { return rates_[static_cast<size_t>(length)]; }

  PromptLookupOptions options_;
  std::vector<int32_t> tokens_;
  std::unordered_map<uint64_t, int64_t> ends_;  // Of runs that a token followed: the latest.
  std::vector<float> rates_;                    // By length of the match: tokens that were right.
  std::vector<int32_t> proposal_;
  int64_t matched_ = 0;  // Length of the match that proposal_ comes from.
  int64_t checked_ = 0;  // Tokens of proposal_ that were right so far.
};

}  // namespace quintet::decode
