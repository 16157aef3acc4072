// The cache of decoder self-attention: keys and values of one token to a row.
#pragma once

#include <cstdint>
#include <vector>

#include "quintet/core/aligned.h"

namespace quintet::nn {

// Rows are found by number and may be shared: sequences with a common past own the same ones. There
// is memory for as many rows as were ever in use at a time, in blocks that never move.
//
// Rows of a run (see take) lie together head by head: a head of attention over one sequence reads
// pieces of kRunRows * head_dim values that follow each other, however many sequences there are.
// Threads: one at a time takes, shares and drops; the rows themselves may be used from several.
class KeyValueRows {
 public:
  // Keys and values of `heads` heads of `head_dim` in each of `layers` layers.
  KeyValueRows(int64_t layers, int64_t heads, int64_t head_dim)
      : layers_(layers), heads_(heads), head_dim_(head_dim) {}

  static constexpr int32_t kNone = -1;

  // A row with one owner, for the token after that of row `previous`; kNone: a first token.
  int32_t take(int32_t previous);
  void share(int32_t row) { ++owners_[static_cast<size_t>(row)]; }
  // Free once no owner is left.
  void drop(int32_t row);

  // head_dim values.
  float* key(int64_t layer, int32_t row, int64_t head) { return at(2 * layer, row, head); }
  float* value(int64_t layer, int32_t row, int64_t head) { return at(2 * layer + 1, row, head); }

  int64_t rows_in_use() const { return rows_in_use_; }
  size_t bytes() const;

 private:
  static constexpr int32_t kRunRows = 16;  // 4 KB of a head of 64.
  // Half a minute of speech; 3 MB in a model of 6 layers of 512, which huge pages hold.
  static constexpr int32_t kBlockRows = 128;

  float* at(int64_t part, int32_t row, int64_t head) {
    const auto r = static_cast<uint32_t>(row);
    float* block = blocks_[r / kBlockRows].data();
    const int64_t run = part * (kBlockRows / kRunRows) + r % kBlockRows / kRunRows;
    return block + ((run * heads_ + head) * kRunRows + r % kRunRows) * head_dim_;
  }
  int32_t find_free(int32_t previous) const;
  void add_block();

  int64_t layers_;
  int64_t heads_;
  int64_t head_dim_;
  // Each [layers, keys and values, runs, heads, kRunRows, head_dim].
  std::vector<AlignedArray<float>> blocks_;
  std::vector<int32_t> owners_;  // Of each row; 0: free.
  std::vector<int32_t> used_;    // Of each run: rows that are not free.
  int64_t rows_in_use_ = 0;
};

}  // namespace quintet::nn
