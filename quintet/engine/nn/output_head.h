// Token embeddings that are the output head too, in one stage or in two: then 4-bit weights
// estimate the logits of the whole vocabulary, and int8 rows make exact those that can matter.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/tensor.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/engine/nn/weight_formats.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemv/row_weights.h"

namespace quintet::nn {

struct OutputHead {
  // One stage; no panels: two.
  Linear whole;  // [V, D]
  // Two stages. "Exact" is what `exact` says.
  Linear coarse;              // kI4, [V, D]
  kernels::RowWeights exact;  // [V, D]

  bool two_stages() const { return whole.w.panels == nullptr; }
};

// The tensors of the head `name` [n, k] (weight_formats.h): those of a matrix, in one stage; at
// int8
// "<name>.coarse", "<name>.rows" and "<name>.scales", in two.
std::vector<StoredTensor> stored_head_tensors(const std::string& name, kernels::WeightFormat format,
                                              int64_t n, int64_t k);
// The head whose stored_head_tensors lie at `data`, one pointer each.
OutputHead stored_head(kernels::WeightFormat format, int64_t n, int64_t k,
                       std::span<const std::byte* const> data);
// As pack_panel.
void pack_head_panel(kernels::WeightFormat format, int64_t panel, MatrixView<const float> w,
                     const PackHints& hints, std::span<std::byte* const> data);

// The embedding of a token, [D].
void embed_token(const OutputHead& head, int64_t token, float* to);

// Logits of the whole vocabulary. Shapes: x [T, D], after the last norm; logits [T, V].
// The estimates are exact in one stage.
void exact_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                  MatrixView<float> logits);
void estimate_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                     MatrixView<float> logits);

// Estimates where any row may be one, in one pass over the coarse weights; then the rows that may
// not, neighbours together, in passes over the exact ones. `may_estimate`: of a row.
void head_logits(Runtime& run, const OutputHead& head, MatrixView<const float> x,
                 MatrixView<float> logits, const std::function<bool(int64_t row)>& may_estimate);

// Makes exact, in estimate_logits of row x [D], every logit that can be among the `count` largest,
// and those that weigh most in the sum of probabilities. -inf means "forbidden" and stays.
// Afterwards the `count` largest are those of the exact logits, unless an estimate is off by more
// than 6 standard errors, which are measured on the 32 or more best estimates of this very row and
// kept in `error`: 0 at first, and handed in again where the same row is refined again, after more
// tokens have been forbidden. REQUIRES: count >= 1.
void refine_logits(const OutputHead& head, std::span<const float> x, int64_t count, float& error,
                   std::span<float> logits);

}  // namespace quintet::nn
