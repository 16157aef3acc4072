// Row-wise parts of a network, run block by block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "quintet/core/thread_pool.h"
#include "quintet/engine/nn/runtime.h"

namespace quintet::nn {

// Between two attentions every row is on its own. A thread takes a block of rows through all layers
// there while they are in its cache, and the threads meet once instead of once per layer.
class RowBlocks {
 public:
  // Rows in a block: 16 register tiles of 6, so that a panel of weights is read from L2 once per 16
  // tiles, while the widest activations of a block still fit beside it.
  static constexpr int64_t kRows = 96;

  // How many blocks of nearly equal height: as many for every thread.
  static int64_t count(int64_t rows, int threads) {
    const int64_t rounds = (rows + kRows * threads - 1) / (kRows * threads);
    return std::min(rows, rounds * threads);
  }

  // `widest`: values in a row of the widest input of a layer, padding included.
  RowBlocks(int threads, int64_t widest);

  // Calls body(run, lane, first, count) for blocks that cover [0, rows). Each call gets a runtime
  // of one thread with scratch of its own; calls with equal lane never overlap. Without fusion
  // there is one block, and `run` itself.
  template <typename Body>
  void for_each(Runtime& run, int64_t rows, Body&& body) {
    if (!run.fuse) return body(run, int64_t{0}, int64_t{0}, rows);
    const int64_t blocks = count(rows, run.pool.threads());
    const trace::Scope loop(run.trace, "", {}, run.pool.threads());
    run.pool.parallel_for_lanes(blocks, [&](int64_t lane, int64_t block) {
      const trace::Scope scope(loop, "");
      const int64_t first = rows * block / blocks;
      Runtime own{serial_, scratch_[static_cast<size_t>(lane)], true, run.trace};
      body(own, lane, first, rows * (block + 1) / blocks - first);
    });
  }

  size_t bytes() const;

 private:
  ThreadPool serial_{1};
  std::vector<InputScratch> scratch_;
};

}  // namespace quintet::nn
