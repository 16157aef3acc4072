// The cache of decoder self-attention: keys and values of one token to a row.
#pragma once

#include <cstdint>
#include <vector>

#include "quintet/core/aligned.h"

namespace quintet::nn {

// Rows are found by number and may be shared: sequences with a common past own the same ones. There
// is memory for as many rows as were ever in use at a time, in blocks that never move.
// Threads: one at a time takes, shares and drops; the rows themselves may be used from several.
class KeyValueRows {
 public:
  // For `layers` layers of `width` values.
  KeyValueRows(int64_t layers, int64_t width) : layers_(layers), width_(width) {}

  // A row with one owner.
  int32_t take();
  void share(int32_t row) { ++owners_[static_cast<size_t>(row)]; }
  // Free once no owner is left.
  void drop(int32_t row);

  float* key(int64_t layer, int32_t row) { return at(layer, row); }
  float* value(int64_t layer, int32_t row) { return at(layer, row) + width_; }

  int64_t rows_in_use() const { return std::ssize(owners_) - std::ssize(free_); }
  size_t bytes() const;

 private:
  // Half a minute of speech; 3 MB in a model of 6 layers of 512, which huge pages hold.
  static constexpr int32_t kBlockRows = 128;

  float* at(int64_t layer, int32_t row) {
    float* block = blocks_[static_cast<size_t>(row / kBlockRows)].data();
    return block + (layer * kBlockRows + row % kBlockRows) * 2 * width_;
  }

  int64_t layers_;
  int64_t width_;
  std::vector<AlignedArray<float>> blocks_;  // Each [layers, kBlockRows, key and value, width].
  std::vector<int32_t> owners_;              // Of each row; 0: free.
  std::vector<int32_t> free_;
};

}  // namespace quintet::nn
