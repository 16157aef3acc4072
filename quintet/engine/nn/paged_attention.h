// Attention of a decoder over the pages of its cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/tensor.h"
#include "quintet/engine/nn/key_value_pages.h"
#include "quintet/kernels/attention/online_softmax.h"

namespace quintet::nn {

// Neighbouring tokens of one sequence, which see all tokens before them and themselves.
struct PagedQueries {
  std::span<const int32_t> pages;  // Of the sequence.
  int64_t position = 0;            // Of the first token.
  int64_t tokens = 0;              // At most kQueryTokens.
  int64_t row = 0;                 // Of the first token, in q and out.
};

struct PagedHeads {
  int64_t layer = 0;
  int64_t query_heads = 0;  // A multiple of the heads of keys; neighbours share one.
  float scale = 1;          // Of the scores.
  int64_t window = 0;       // How many tokens a token sees, itself included; 0: all.
};

// Scratch of the lanes.
class PagedScratch {
 public:
  static constexpr int64_t kQueryTokens = 16;
  // Keys that are joined by one softmax: whatever the batch, they begin at multiples of it.
  static constexpr int64_t kBlockKeys = 256;
  static constexpr int64_t kMaxRows = 1024;  // Query tokens times query heads of a key head.

  PagedScratch(int threads, int64_t group, int64_t head_dim);
  size_t bytes() const;

  // One lane's part.
  struct Lane {
    MatrixView<float> queries;            // [kQueryTokens * group, Dh], scaled
    MatrixView<bf16> bf16_queries;        // The same for bfloat16 keys.
    MatrixView<float> scores;             // [kQueryTokens * group, kBlockKeys]
    MatrixView<bf16> bf16_weights;        // The same for bfloat16 values.
    kernels::QuantizedRows int8_queries;  // For int8 keys.
    uint8_t* byte_weights;                // [kQueryTokens * group, kBlockKeys], for int8 values
    float* weight_steps;                  // [kQueryTokens * group]
    MatrixView<float> sums;               // [kQueryTokens * group, Dh]: weighted values
    MatrixView<float> block_sums;         // The same of one block.
    std::span<kernels::SoftmaxState> states;
  };
  Lane lane(int64_t lane);

 private:
  int64_t rows_;
  int64_t head_dim_;
  AlignedArray<float> floats_;
  AlignedArray<bf16> halves_;  // Or int8 queries and byte weights.
  AlignedArray<int32_t> query_sums_;
  std::vector<kernels::SoftmaxState> states_;
};

// out = softmax(scale * q K^T) V for the query heads that share key head `head`, for all tokens of
// `queries`. What comes out for a token is the same, bit for bit, however many are with it.
// Shapes: q, out [T, ...]: query head h at columns [h Dh, (h + 1) Dh).
// Threads: on the one that owns `lane`.
void attend_paged(const KeyValuePages& cache, const PagedHeads& heads, int64_t head,
                  const PagedQueries& queries, MatrixView<const float> q, PagedScratch& scratch,
                  int64_t lane, MatrixView<float> out);

}  // namespace quintet::nn
