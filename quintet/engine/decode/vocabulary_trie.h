// The tokens of a vocabulary by their bytes, to be walked together with a grammar.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/engine/decode/json_string.h"

namespace quintet::decode {

// A set of tokens, a bit each.
using TokenSet = std::vector<uint64_t>;

inline void insert_token(TokenSet& set, int32_t token) {
  set[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
}
inline bool has_token(const TokenSet& set, int32_t token) {
  return (set[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
}

// Threads: const methods are safe concurrently.
class VocabularyTrie {
 public:
  // Longer tokens are never allowed: no text needs them.
  static constexpr size_t kMaxTokenBytes = 256;

  // A prefix of tokens. Nodes stand in depth-first order: those below a node follow it up to `end`.
  struct Node {
    uint8_t byte = 0;    // The last one of the prefix.
    bool quote = false;  // A token with this prefix has a double quote.
    uint16_t depth = 0;  // Bytes before `byte`.
    uint32_t end = 0;
    uint32_t first_token = 0;  // The tokens that are this prefix, in tokens().
    uint32_t last_token = 0;   // One past them.
  };

  // `tokens`: the bytes of each, by number; empty for those that are no text. They are copied.
  explicit VocabularyTrie(std::span<const std::string_view> tokens);

  int32_t vocabulary() const { return static_cast<int32_t>(texts_.size()); }
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const int32_t> tokens() const { return tokens_; }
  size_t longest_token() const { return longest_; }
  std::string_view text(int32_t token) const { return texts_[static_cast<size_t>(token)]; }
  TokenSet empty_set() const { return TokenSet((texts_.size() + 63) / 64, 0); }

  // The tokens that go on inside a string without ending it.
  const TokenSet& inside_string(StringState state, Escapes escapes) const {
    return inside_[static_cast<size_t>(state)][static_cast<size_t>(escapes)];
  }

 private:
  void add(int32_t token);
  void close_nodes(size_t depth);
  TokenSet walk_string(StringState state, Escapes escapes) const;

  std::vector<std::string> texts_;
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  std::vector<uint32_t> path_;  // While it is built: the nodes that are open.
  size_t longest_ = 0;
  std::array<std::array<TokenSet, 2>, kOpenStringStates> inside_;
};

}  // namespace quintet::decode
