// What every layer needs to run: threads, scratch memory, and whether operators may be fused.
#pragma once

#include <cstdint>

#include "quintet/core/aligned.h"
#include "quintet/core/thread_pool.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

// Scratch for the inputs of matrix products, converted to the weights' format. One per session.
class InputScratch {
 public:
  // For inputs of up to `max_rows` rows and `max_values` values (with padding) in any format.
  InputScratch(int64_t max_rows, int64_t max_values);

  kernels::QuantizedRows quantized(int64_t rows, int64_t cols);
  MatrixView<bf16> converted(int64_t rows, int64_t cols);
  size_t bytes() const;

 private:
  AlignedBytes data_;  // int8 or bfloat16 rows, whichever is asked for.
  AlignedArray<float> scales_;
  AlignedArray<int32_t> row_sums_;
};

struct Runtime {
  ThreadPool& pool;
  InputScratch& scratch;
  // false: one operator at a time, each through memory, as the float32 baseline does.
  bool fuse = true;
};

}  // namespace quintet::nn
