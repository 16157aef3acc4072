// Token embeddings that are the output head too, in one stage or in two: then 4-bit weights
// estimate the logits of the whole vocabulary, and int8 rows make exact those that can matter.
#pragma once

#include <cstdint>
#include <span>

#include "quintet/core/tensor.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemv/row_weights.h"

namespace quintet::nn {

struct OutputHead {
  // One stage; no panels: two.
  Linear whole;  // [V, D]
  // Two stages. "Exact" is what `exact` says, as if it were the only matrix.
  Linear coarse;              // kI4, [V, D]
  kernels::RowWeights exact;  // [V, D]

  bool two_stages() const { return whole.w.panels == nullptr; }
};

// The embedding of a token, [D].
void embed_token(const OutputHead& head, int64_t token, float* to);

// Logits of the whole vocabulary. Shapes: x [T, D], after the last norm; logits [T, V].
// The estimates are exact in one stage.
void exact_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                  MatrixView<float> logits);
void estimate_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                     MatrixView<float> logits);

// Makes exact, in estimate_logits of row x [D], every logit that can be among the `count` largest,
// and those that weigh most in the sum of probabilities. -inf means "forbidden" and stays.
// Afterwards the `count` largest are those of the exact logits, unless an estimate is off by more
// than 6 standard errors, which are measured on the 32 or more best estimates of this very row.
// REQUIRES: count >= 1.
void refine_logits(const OutputHead& head, std::span<const float> x, int64_t count,
                   std::span<float> logits);

}  // namespace quintet::nn
