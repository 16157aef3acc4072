// Tokens that stand outside the merging model and are recognised where the text has them literally.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
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

// Finds the tokens of one set in a text: the leftmost first, of those the longest.
// Threads: const methods are safe concurrently.
class AddedTokenMatcher {
 public:
  struct Piece {
    std::string_view text;
    int32_t id = -1;  // -1: plain text.
  };

  // Tokens with empty content are left out.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  // The pieces of `text` in order, none of them empty plain text.
  // Cost: O(bytes of `text` * bytes of the longest token).
  std::vector<Piece> split(std::string_view text) const;

 private:
  struct Match {
    size_t begin = 0;
    size_t end = 0;
    int32_t token = -1;  // Index into tokens_; -1: none.
  };
  Match longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  // A trie: (node << 8 | byte) -> node, and the token that ends in each node or -1.
  std::unordered_map<uint64_t, uint32_t> edges_;
  std::vector<int32_t> token_of_node_;
};

}  // namespace quintet::io
