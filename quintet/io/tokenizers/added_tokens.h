// Tokens that stand outside the merging model and are recognised where the text has them literally.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quintet::io {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;      // Controls the model; left out of text for people.
  bool single_word = false;  // Not recognised inside a word.
  bool lstrip = false;       // Takes the white space before it along.
  bool rstrip = false;       // Takes the white space behind it along.
  bool normalized = false;   // Recognised in the normalised text, not in the text as given.
};

// The contents of a set of tokens as a tree of bytes, in flat arrays. Nodes are numbered level by
// level from the root, 0, on: the children of node i are the nodes first_child[i] up to, not
// including, first_child[i + 1], in rising order of their bytes.
// `Array`: what holds the elements, std::vector to build one and std::span to use it.
template <template <typename> typename Array>
struct AddedTokenTree {
  Array<int32_t> first_child;  // [nodes + 1]
  Array<uint8_t> byte;         // [nodes]: that leads here; unused at the root.
  Array<int32_t> token;        // [nodes]: id of the token that ends here, or -1.
  Array<uint8_t> flags;        // [nodes]: its AddedTokenFlag values.
};

enum AddedTokenFlag : uint8_t { kSingleWord = 1, kStripLeft = 2, kStripRight = 4 };

template <typename T>
using OwnedArray = std::vector<T>;
template <typename T>
using ArrayView = std::span<const T>;

// Tokens with empty content are left out; of equal contents the first counts.
AddedTokenTree<OwnedArray> build_added_token_tree(std::span<const AddedToken> tokens);

struct TextPiece {
  std::string_view text;
  int32_t token = -1;  // -1: plain text.
};

// The pieces of `text` in order, none of them empty plain text: the leftmost token first, of those
// the longest.
// REQUIRES: the arrays are as AddedTokenTree says.
// Cost: O(bytes of `text` * bytes of the longest token).
std::vector<TextPiece> split_at_added_tokens(const AddedTokenTree<ArrayView>& tree,
                                             std::string_view text);

}  // namespace quintet::io
