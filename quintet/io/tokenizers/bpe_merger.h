// The merging step of byte-pair encoding: from the parts of a word to its tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quintet/io/tokenizers/added_tokens.h"

namespace quintet::io {

// The rules in flat arrays: those whose left token is i stand at merge_begin[i] up to, not
// including, merge_begin[i + 1], in rising order of their right token.
template <template <typename> typename Array>
struct MergeTable {
  Array<int32_t> byte_ids;     // [256]: the token of each byte, -1 where there is none.
  Array<int32_t> merge_begin;  // [ids + 1]
  Array<int32_t> right;        // [rules]
  Array<int32_t> rank;         // [rules]: the lowest goes first.
  Array<int32_t> merged;       // [rules]: the token that both become.
};

struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t merged = 0;
  int32_t rank = 0;  // The lowest goes first, of equal ones the leftmost in the text.
};

// Of equal pairs the last counts. byte_ids stays empty.
// REQUIRES: tokens are from 0 to ids - 1.
MergeTable<OwnedArray> build_merge_table(std::span<const Merge> merges, int32_t ids);

// Appends what the tokens of `parts` become. Of all pairs that can merge, the one with the
// lowest rank does, of equal ones the leftmost, until none can.
// REQUIRES: the arrays are as MergeTable says, tokens from 0 to ids - 1.
// Cost: O(n log n) in the parts.
void merge_parts(const MergeTable<ArrayView>& table, std::span<const int32_t> parts,
                 std::vector<int32_t>& tokens);

}  // namespace quintet::io
