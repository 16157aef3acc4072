// Linear layers and layer norms over packed weights.
#pragma once

#include "quintet/core/tensor.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

struct LayerNorm {
  const float* gamma = nullptr;  // [D]
  const float* beta = nullptr;   // [D]
};

struct Linear {
  kernels::PackedWeights w;     // [N, K]
  const float* bias = nullptr;  // [N]; null means none.
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

}  // namespace quintet::nn
