// Linear layers and layer norms over packed weights.
#pragma once

#include <functional>

#include "quintet/core/tensor.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

struct LayerNorm {
  const float* gamma = nullptr;  // [D]
  const float* beta = nullptr;   // [D]
  const char* name = "norm";     // In traces.
};

struct Linear {
  kernels::PackedWeights w;     // [N, K]
  const float* bias = nullptr;  // [N]; null means none.
  const char* name = "linear";  // In traces.
};

enum class Activation { kNone, kGelu };

// y = LayerNorm(x) per row, eps 1e-5. Shapes: x, y [T, D]. y may be x.
void layer_norm(Runtime& run, const LayerNorm& norm, MatrixView<const float> x,
                MatrixView<float> y);

// y = activation(x W^T + b) (+ y where `add` is true: the residual connection).
// Shapes: x [T, K] (rows may overlap for float32 and are converted otherwise), y [T, N].
struct LinearOptions {
  Activation activation = Activation::kNone;
  bool add = false;
};
void linear(Runtime& run, const Linear& layer, MatrixView<const float> x, MatrixView<float> y,
            const LinearOptions& options = {});

// y = activation(LayerNorm(x) W^T + b): layer_norm into h, then linear, in one loop of the pool
// where there are few rows. Shapes: x, h [T, K], y [T, N].
void norm_linear(Runtime& run, const LayerNorm& norm, const Linear& layer,
                 MatrixView<const float> x, MatrixView<float> h, MatrixView<float> y,
                 Activation activation = Activation::kNone);

// The same for a layer whose outputs are one or more vectors of `heads` heads each (queries;
// queries, keys and values), and then body(lane, head, block) for every head and each block <
// `blocks`. With few rows a head follows in the same loop, on the thread that has computed its
// outputs. Items with equal lane never run at the same time. `body` may write to h.
using HeadBody = std::function<void(int64_t lane, int64_t head, int64_t block)>;
struct HeadLoop {
  int64_t heads;
  int64_t blocks;
  // What the bodies do together, for traces.
  const char* name = "heads";
  trace::Work work = {};
};
void norm_linear_heads(Runtime& run, const LayerNorm& norm, const Linear& layer,
                       MatrixView<const float> x, MatrixView<float> h, MatrixView<float> y,
                       const HeadLoop& loop, const HeadBody& body);

// What they cannot do without, for traces.
trace::Work layer_norm_work(int64_t rows, int64_t cols);
trace::Work linear_work(const Linear& layer, MatrixView<const float> x,
                        const LinearOptions& options = {});

}  // namespace quintet::nn
