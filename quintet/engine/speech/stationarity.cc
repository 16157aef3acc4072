#include "quintet/engine/speech/stationarity.h"

#include <cmath>
#include <limits>
#include <vector>

namespace quintet::speech {

float modulation_db(MatrixView<const float> log_mel) {
  constexpr int64_t kBlock = 10;  // Frames of 10 ms.
  constexpr int64_t kFewestBlocks = 10;
  constexpr double kDecibelsPerUnit = 40;  // log10 of power, divided by 4.
  const int64_t blocks = log_mel.rows / kBlock;
  if (blocks < kFewestBlocks) return std::numeric_limits<float>::infinity();
  const int64_t bands = log_mel.cols;
  std::vector<double> sum(static_cast<size_t>(bands));
  std::vector<double> squares(static_cast<size_t>(bands));
  std::vector<double> level(static_cast<size_t>(bands));
  for (int64_t b = 0; b < blocks; ++b) {
    level.assign(level.size(), 0);
    for (int64_t t = b * kBlock; t < (b + 1) * kBlock; ++t) {
      for (int64_t f = 0; f < bands; ++f) {
        level[static_cast<size_t>(f)] += static_cast<double>(log_mel.row(t)[f]) / kBlock;
      }
    }
    for (size_t f = 0; f < level.size(); ++f) {
      sum[f] += level[f];
      squares[f] += level[f] * level[f];
    }
  }
  double deviations = 0;
  for (size_t f = 0; f < level.size(); ++f) {
    const double mean = sum[f] / static_cast<double>(blocks);
    deviations += std::sqrt(std::max(0.0, squares[f] / static_cast<double>(blocks) - mean * mean));
  }
  return static_cast<float>(kDecibelsPerUnit * deviations / static_cast<double>(bands));
}

}  // namespace quintet::speech
