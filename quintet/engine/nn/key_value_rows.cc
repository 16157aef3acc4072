#include "quintet/engine/nn/key_value_rows.h"

#include "quintet/core/check.h"

namespace quintet::nn {

int32_t KeyValueRows::take() {
  if (free_.empty()) {
    const auto first = static_cast<int32_t>(owners_.size());
    blocks_.emplace_back(layers_ * kBlockRows * 2 * width_);
    owners_.resize(owners_.size() + kBlockRows, 0);
    for (int32_t i = kBlockRows; i-- > 0;) free_.push_back(first + i);
  }
  const int32_t row = free_.back();
  free_.pop_back();
  owners_[static_cast<size_t>(row)] = 1;
  return row;
}

void KeyValueRows::drop(int32_t row) {
  int32_t& owners = owners_[static_cast<size_t>(row)];
  QT_CHECK(owners > 0);
  if (--owners == 0) free_.push_back(row);
}

size_t KeyValueRows::bytes() const {
  size_t bytes = 0;
  for (const AlignedArray<float>& block : blocks_) {
    bytes += static_cast<size_t>(block.size()) * sizeof(float);
  }
  return bytes;
}

}  // namespace quintet::nn
