#include "quintet/io/tokenizers/added_tokens.h"

#include <algorithm>
#include <map>
#include <utility>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {
namespace {

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  const CodePoint before = code_point_before(text, begin);
  const CodePoint after = code_point_at(text, end);
  return (before.bytes == 0 || !is_word(before.value)) &&
         (after.bytes == 0 || !is_word(after.value));
}

uint8_t flags_of(const AddedToken& token) {
  return static_cast<uint8_t>((token.single_word ? kSingleWord : 0) |
                              (token.lstrip ? kStripLeft : 0) | (token.rstrip ? kStripRight : 0));
}

struct Match {
  size_t begin = 0;
  size_t end = 0;
  size_t node = 0;  // 0: none.
};

Match longest_at(const AddedTokenTree<ArrayView>& tree, std::string_view text, size_t at) {
  Match best;
  size_t node = 0;
  for (size_t end = at; end < text.size();) {
    const auto first = tree.byte.begin() + tree.first_child[node];
    const auto last = tree.byte.begin() + tree.first_child[node + 1];
    const auto byte = static_cast<uint8_t>(text[end]);
    const auto child = std::lower_bound(first, last, byte);
    if (child == last || *child != byte) break;
    node = static_cast<size_t>(child - tree.byte.begin());
    ++end;
    if (tree.token[node] >= 0) best = {at, end, node};
  }
  return best;
}

}  // namespace

AddedTokenTree<OwnedArray> build_added_token_tree(std::span<const AddedToken> tokens) {
  std::map<std::string_view, const AddedToken*> sorted;
  for (const AddedToken& token : tokens) {
    if (!token.content.empty()) sorted.try_emplace(token.content, &token);
  }
  // A level's nodes, each with the tokens that begin with its bytes: neighbours in `sorted`.
  using Tokens = std::vector<std::pair<std::string_view, const AddedToken*>>;
  std::vector<Tokens> level = {Tokens(sorted.begin(), sorted.end())};
  AddedTokenTree<OwnedArray> tree;
  tree.byte.push_back(0);
  for (size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Tokens> next;
    for (const Tokens& below : level) {
      const bool ends_here = !below.empty() && below.front().first.size() == depth;
      tree.token.push_back(ends_here ? below.front().second->id : -1);
      tree.flags.push_back(ends_here ? flags_of(*below.front().second) : 0);
      tree.first_child.push_back(static_cast<int32_t>(tree.byte.size()));
      for (size_t i = ends_here ? 1 : 0; i < below.size(); ++i) {
        const auto byte = static_cast<uint8_t>(below[i].first[depth]);
        const auto first_of_node = static_cast<size_t>(tree.first_child.back());
        if (tree.byte.size() == first_of_node || tree.byte.back() != byte) {
          tree.byte.push_back(byte);
          next.emplace_back();
        }
        next.back().push_back(below[i]);
      }
    }
    level = std::move(next);
  }
  tree.first_child.push_back(static_cast<int32_t>(tree.byte.size()));
  return tree;
}

std::vector<TextPiece> split_at_added_tokens(const AddedTokenTree<ArrayView>& tree,
                                             std::string_view text) {
  std::vector<TextPiece> pieces;
  size_t done = 0;  // Pieces reach to here.
  for (size_t at = 0; at < text.size() && tree.byte.size() > 1;) {
    Match match = longest_at(tree, text, at);
    if (match.node == 0) {
      ++at;
      continue;
    }
    const uint8_t flags = tree.flags[match.node];
    at = match.end;
    if ((flags & kSingleWord) != 0 && !stands_alone(text, match.begin, match.end)) continue;
    if ((flags & kStripLeft) != 0)
      for (CodePoint c; match.begin > done; match.begin -= c.bytes)
        if (c = code_point_before(text, match.begin); c.bytes == 0 || !is_space(c.value)) break;
    if ((flags & kStripRight) != 0)
      for (CodePoint c; match.end < text.size(); match.end += c.bytes)
        if (c = code_point_at(text, match.end); c.bytes == 0 || !is_space(c.value)) break;
    match.begin = std::max(match.begin, done);
    if (match.begin > done) pieces.push_back({text.substr(done, match.begin - done), -1});
    pieces.push_back({text.substr(match.begin, match.end - match.begin), tree.token[match.node]});
    at = done = match.end;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), -1});
  return pieces;
}

}  // namespace quintet::io
