// Cosines and sines of rotary positions.
#pragma once

#include <cstdint>
#include <vector>

#include "quintet/engine/models/language/config.h"

namespace quintet::language {

// 1 / theta^(2 i / Dh), as scaled. Shapes: [Dh / 2].
std::vector<float> rope_frequencies(double theta, int64_t head_dim, const RopeScaling& scaling);

// Of the positions that were asked for so far.
class RopeTable {
 public:
  explicit RopeTable(std::vector<float> frequencies) : frequencies_(std::move(frequencies)) {}

  // Makes room for positions below `end`.
  void reserve(int64_t end);
  // [Dh / 2] each. REQUIRES: position < end of reserve().
  const float* cosines(int64_t position) const { return row(position); }
  const float* sines(int64_t position) const { return row(position) + half(); }

  int64_t half() const { return std::ssize(frequencies_); }

 private:
  const float* row(int64_t position) const { return table_.data() + 2 * half() * position; }

  std::vector<float> frequencies_;
  std::vector<float> table_;  // [positions, cosines and sines, Dh / 2]
};

}  // namespace quintet::language
