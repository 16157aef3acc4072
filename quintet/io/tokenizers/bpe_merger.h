// The merging step of byte-pair encoding: from the bytes of a word to its tokens.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quintet::io {

// Threads: const methods are safe concurrently.
class BpeMerger {
 public:
  struct Merge {
    int32_t left = 0;
    int32_t right = 0;
    int32_t merged = 0;
  };

  BpeMerger() = default;
  // `byte_ids`: the token of each byte alone, -1 where there is none. `merges`: the first goes
  // first; of equal pairs the last counts.
  BpeMerger(const std::array<int32_t, 256>& byte_ids, std::span<const Merge> merges);

  // Appends the tokens of `word`. Of all pairs that can merge, the earliest in the list does, of
  // equal ones the leftmost, until none can. Bytes without a token become `unknown_id`, or nothing
  // where that is negative.
  // Cost: O(n log n) in the bytes of the word.
  void merge(std::string_view word, int32_t unknown_id, std::vector<int32_t>& tokens) const;

 private:
  struct Rule {
    int32_t rank = 0;
    int32_t merged = 0;
  };
  struct Hash {
    size_t operator()(uint64_t key) const;
  };
  const Rule* rule(int32_t left, int32_t right) const;

  std::array<int32_t, 256> byte_ids_{};
  std::unordered_map<uint64_t, Rule, Hash> rules_;
};

}  // namespace quintet::io
