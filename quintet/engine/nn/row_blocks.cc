#include "quintet/engine/nn/row_blocks.h"

namespace quintet::nn {

RowBlocks::RowBlocks(int threads, int64_t widest) {
  for (int i = 0; i < threads; ++i) scratch_.emplace_back(kRows, kRows * widest, 1, widest);
}

size_t RowBlocks::bytes() const {
  size_t bytes = 0;
  for (const InputScratch& scratch : scratch_) bytes += scratch.bytes();
  return bytes;
}

}  // namespace quintet::nn
