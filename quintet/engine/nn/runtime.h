// What every layer needs to run: threads, scratch memory, whether operators may be fused, and who
// wants to know what they take.
#pragma once

#include <cstdint>

#include "quintet/core/aligned.h"
#include "quintet/core/thread_pool.h"
#include "quintet/core/trace.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

// Up to this many rows every thread converts all of them for itself: that takes less time than
// waiting for another thread to do it.
inline constexpr int64_t kFewRows = 8;

// Room that a row of `cols` values needs in any format.
constexpr int64_t padded_width(int64_t cols) {
  return kernels::padded_depth(kernels::WeightFormat::kI4, cols);  // The longest groups.
}

// Scratch for the inputs of matrix products, converted to the weights' format. One per session.
class InputScratch {
 public:
  // For inputs of up to `max_rows` rows and `max_values` values (with padding) in any format, and
  // for `lanes` threads with up to kFewRows rows of `max_width` values each.
  InputScratch(int64_t max_rows, int64_t max_values, int64_t lanes, int64_t max_width);

  // `format`: of the weights, kI8 or kI4.
  kernels::QuantizedRows quantized(kernels::WeightFormat format, int64_t rows, int64_t cols);
  MatrixView<bf16> converted(int64_t rows, int64_t cols);

  // What one lane has for itself.
  kernels::QuantizedRows lane_quantized(int64_t lane, kernels::WeightFormat format, int64_t rows,
                                        int64_t cols);
  MatrixView<bf16> lane_converted(int64_t lane, int64_t rows, int64_t cols);
  MatrixView<float> lane_floats(int64_t lane, int64_t rows, int64_t cols);

  size_t bytes() const;

 private:
  AlignedBytes data_;  // int8 or bfloat16 rows, whichever is asked for.
  AlignedArray<float> scales_;
  AlignedArray<int32_t> row_sums_;
  AlignedArray<int32_t> group_sums_;

  int64_t lanes_;
  int64_t max_width_;                // A multiple of the longest group.
  AlignedArray<float> lane_floats_;  // [lanes, kFewRows, max_width]
  AlignedArray<bf16> lane_rows_;     // [lanes, kFewRows, max_width]; int8 rows take half of it.
  AlignedArray<float> lane_scales_;  // [lanes, kFewRows]
  AlignedArray<int32_t> lane_sums_;  // [lanes, kFewRows, 1 + max_width / group]
};

struct Linear;

// Sees what goes into every linear layer of a run without fusion.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  // Shapes: x [T, K]; rows may overlap. Threads: one call at a time for one run.
  virtual void see(const Linear& layer, MatrixView<const float> x) = 0;
};

struct Runtime {
  ThreadPool& pool;
  InputScratch& scratch;
  // false: one operator at a time, each through memory, as the float32 baseline does.
  bool fuse = true;
  // Gets a span for each operator; null: none.
  trace::Recorder* trace = nullptr;
  LinearObserver* observer = nullptr;  // Null: nobody looks. Not asked where `fuse` is true.
};

}  // namespace quintet::nn
