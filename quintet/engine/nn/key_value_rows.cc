#include "quintet/engine/nn/key_value_rows.h"

#include <algorithm>

#include "quintet/core/check.h"

namespace quintet::nn {

int32_t KeyValueRows::take(int32_t previous) {
  int32_t row = find_free(previous);
  if (row == kNone) {
    row = static_cast<int32_t>(owners_.size());
    add_block();
  }
  owners_[static_cast<size_t>(row)] = 1;
  ++used_[static_cast<size_t>(row / kRunRows)];
  ++rows_in_use_;
  return row;
}

// The row after `previous` in its run, else the first of an empty run, else any: memory grows only
// when every row is in use.
int32_t KeyValueRows::find_free(int32_t previous) const {
  const int32_t next = previous + 1;
  if (next % kRunRows != 0 && owners_[static_cast<size_t>(next)] == 0) return next;
  const auto empty = std::find(used_.begin(), used_.end(), 0);
  if (empty != used_.end()) return static_cast<int32_t>(empty - used_.begin()) * kRunRows;
  const auto any = std::find(owners_.begin(), owners_.end(), 0);
  return any == owners_.end() ? kNone : static_cast<int32_t>(any - owners_.begin());
}

void KeyValueRows::add_block() {
  blocks_.emplace_back(layers_ * 2 * kBlockRows * heads_ * head_dim_);
  owners_.resize(owners_.size() + kBlockRows, 0);
  used_.resize(used_.size() + kBlockRows / kRunRows, 0);
}

void KeyValueRows::drop(int32_t row) {
  int32_t& owners = owners_[static_cast<size_t>(row)];
  QT_CHECK(owners > 0);
  if (--owners > 0) return;
  --used_[static_cast<size_t>(row / kRunRows)];
  --rows_in_use_;
}

size_t KeyValueRows::bytes() const {
  size_t bytes = 0;
  for (const AlignedArray<float>& block : blocks_) {
    bytes += static_cast<size_t>(block.size()) * sizeof(float);
  }
  return bytes;
}

}  // namespace quintet::nn
