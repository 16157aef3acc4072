// Linear layers and norms over packed weights.
#pragma once

#include <functional>

#include "quintet/core/tensor.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

struct Norm {
  const float* gamma = nullptr;  // [D]
  // [D]; null: by the root mean square alone, without mean and beta (Zhang and Sennrich 2019).
  const float* beta = nullptr;
  float eps = 1e-5f;          // torch.nn.LayerNorm's default.
  const char* name = "norm";  // In traces.
};

struct Linear {
  kernels::PackedWeights w;     // [N, K]
  const float* bias = nullptr;  // [N]; null means none.
  const char* name = "linear";  // In traces.
};

enum class Activation { kNone, kGelu };

enum class GateActivation : uint8_t { kSilu, kGeluTanh };

// activation(x Wg^T) * (x Wu^T), the inner half of a gated feed-forward layer (Shazeer 2020).
struct GatedLinear {
  Linear gate;
  Linear up;  // Same shape and format.
  GateActivation activation = GateActivation::kSilu;
};

// y = norm(x) per row. Shapes: x, y [T, D]. y may be x.
void apply_norm(Runtime& run, const Norm& norm, MatrixView<const float> x, MatrixView<float> y);

// y = activation(x W^T + b) (+ y where `add` is true: the residual connection).
// Shapes: x [T, K] (rows may overlap for float32 and are converted otherwise), y [T, N].
struct LinearOptions {
  Activation activation = Activation::kNone;
  bool add = false;
};
void linear(Runtime& run, const Linear& layer, MatrixView<const float> x, MatrixView<float> y,
            const LinearOptions& options = {});

// y = activation(norm(x) W^T + b): apply_norm into h, then linear, in one loop of the pool
// where there are few rows. Shapes: x, h [T, K], y [T, N].
void norm_linear(Runtime& run, const Norm& norm, const Linear& layer, MatrixView<const float> x,
                 MatrixView<float> h, MatrixView<float> y,
                 Activation activation = Activation::kNone);

// y = the gated product of norm(x). Shapes: x, h [T, K]; up, y [T, N], of which up and h are
// scratch.
void norm_gated_linear(Runtime& run, const Norm& norm, const GatedLinear& layer,
                       MatrixView<const float> x, MatrixView<float> h, MatrixView<float> up,
                       MatrixView<float> y);

// norm_linear for a layer whose outputs are one or more vectors of `heads` heads each (queries;
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
void norm_linear_heads(Runtime& run, const Norm& norm, const Linear& layer,
                       MatrixView<const float> x, MatrixView<float> h, MatrixView<float> y,
                       const HeadLoop& loop, const HeadBody& body);

// What they cannot do without, for traces.
trace::Work norm_work(int64_t rows, int64_t cols);
trace::Work linear_work(const Linear& layer, MatrixView<const float> x,
                        const LinearOptions& options = {});

}  // namespace quintet::nn
