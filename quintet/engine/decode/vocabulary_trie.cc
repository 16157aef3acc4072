#include "quintet/engine/decode/vocabulary_trie.h"

#include <algorithm>
#include <numeric>

namespace quintet::decode {

VocabularyTrie::VocabularyTrie(std::span<const std::string_view> tokens)
    : texts_(tokens.begin(), tokens.end()) {
  std::vector<int32_t> sorted(texts_.size());
  std::iota(sorted.begin(), sorted.end(), 0);
  std::ranges::stable_sort(
      sorted, {}, [&](int32_t i) -> const std::string& { return texts_[static_cast<size_t>(i)]; });
  for (const int32_t token : sorted) {
    const size_t bytes = text(token).size();
    if (bytes > 0 && bytes <= kMaxTokenBytes) add(token);
  }
  close_nodes(0);
  for (int state = 0; state < kOpenStringStates; ++state) {
    for (const Escapes escapes : {Escapes::kAllowed, Escapes::kForbidden}) {
      inside_[static_cast<size_t>(state)][static_cast<size_t>(escapes)] =
          walk_string(static_cast<StringState>(state), escapes);
    }
  }
}

// REQUIRES: tokens come in the order of their bytes.
void VocabularyTrie::add(int32_t token) {
  const std::string_view bytes = text(token);
  size_t common = 0;
  while (common < std::min(path_.size(), bytes.size()) &&
         nodes_[path_[common]].byte == static_cast<uint8_t>(bytes[common])) {
    ++common;
  }
  close_nodes(common);
  for (size_t i = common; i < bytes.size(); ++i) {
    path_.push_back(static_cast<uint32_t>(nodes_.size()));
    const auto first = static_cast<uint32_t>(tokens_.size());
    nodes_.push_back({.byte = static_cast<uint8_t>(bytes[i]),
                      .quote = false,
                      .depth = static_cast<uint16_t>(i),
                      .end = 0,
                      .first_token = first,
                      .last_token = first});
  }
  tokens_.push_back(token);
  nodes_[path_.back()].last_token = static_cast<uint32_t>(tokens_.size());
  longest_ = std::max(longest_, bytes.size());
  if (bytes.find('"') == std::string_view::npos) return;
  for (const uint32_t node : path_) nodes_[node].quote = true;
}

// Ends the open nodes that are deeper than `depth` bytes.
void VocabularyTrie::close_nodes(size_t depth) {
  for (; path_.size() > depth; path_.pop_back()) {
    nodes_[path_.back()].end = static_cast<uint32_t>(nodes_.size());
  }
}

TokenSet VocabularyTrie::walk_string(StringState state, Escapes escapes) const {
  TokenSet set = empty_set();
  std::array<StringState, kMaxTokenBytes + 1> states{};
  states[0] = state;
  for (size_t i = 0; i < nodes_.size();) {
    const Node& node = nodes_[i];
    const StringState next = next_in_string(states[node.depth], node.byte, escapes);
    if (next == StringState::kClosed || next == StringState::kRejected) {
      i = node.end;
      continue;
    }
    states[node.depth + size_t{1}] = next;
    for (uint32_t t = node.first_token; t < node.last_token; ++t) insert_token(set, tokens_[t]);
    ++i;
  }
  return set;
}

}  // namespace quintet::decode
