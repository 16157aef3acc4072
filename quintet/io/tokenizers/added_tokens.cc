#include "quintet/io/tokenizers/added_tokens.h"

#include <algorithm>
#include <utility>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {
namespace {

uint64_t edge(uint32_t node, char byte) {
  return uint64_t{node} << 8 | static_cast<unsigned char>(byte);
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  const CodePoint before = code_point_before(text, begin);
  const CodePoint after = code_point_at(text, end);
  return (before.bytes == 0 || !is_word(before.value)) &&
         (after.bytes == 0 || !is_word(after.value));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  token_of_node_.push_back(-1);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].content.empty()) continue;
    uint32_t node = 0;
    for (const char byte : tokens_[i].content) {
      const auto next = static_cast<uint32_t>(token_of_node_.size());
      const auto [position, is_new] = edges_.try_emplace(edge(node, byte), next);
      if (is_new) token_of_node_.push_back(-1);
      node = position->second;
    }
    if (token_of_node_[node] < 0) token_of_node_[node] = static_cast<int32_t>(i);
  }
}

AddedTokenMatcher::Match AddedTokenMatcher::longest_at(std::string_view text, size_t at) const {
  Match best;
  uint32_t node = 0;
  for (size_t end = at; end < text.size();) {
    const auto next = edges_.find(edge(node, text[end]));
    if (next == edges_.end()) break;
    node = next->second;
    ++end;
    if (token_of_node_[node] >= 0) best = {at, end, token_of_node_[node]};
  }
  return best;
}

std::vector<AddedTokenMatcher::Piece> AddedTokenMatcher::split(std::string_view text) const {
  std::vector<Piece> pieces;
  size_t done = 0;  // Pieces reach to here.
  for (size_t at = 0; at < text.size() && !edges_.empty();) {
    Match match = longest_at(text, at);
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(match.token)];
    at = match.end;
    if (token.single_word && !stands_alone(text, match.begin, match.end)) continue;
    if (token.lstrip)
      for (CodePoint c; match.begin > done; match.begin -= c.bytes)
        if (c = code_point_before(text, match.begin); c.bytes == 0 || !is_space(c.value)) break;
    if (token.rstrip)
      for (CodePoint c; match.end < text.size(); match.end += c.bytes)
        if (c = code_point_at(text, match.end); c.bytes == 0 || !is_space(c.value)) break;
    match.begin = std::max(match.begin, done);
    if (match.begin > done) pieces.push_back({text.substr(done, match.begin - done), -1});
    pieces.push_back({text.substr(match.begin, match.end - match.begin), token.id});
    at = done = match.end;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), -1});
  return pieces;
}

}  // namespace quintet::io
