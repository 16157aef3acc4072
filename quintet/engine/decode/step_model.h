// What the search strategies need of a decoder: tokens in, logits out.
#pragma once

#include <cstdint>
#include <span>

#include "quintet/core/tensor.h"

namespace quintet::decode {

// A decoder with a cache of the sequences that it is extending.
class StepModel {
 public:
  virtual ~StepModel() = default;

  virtual int64_t vocabulary() const = 0;
  // Longest sequence, prompt included.
  virtual int64_t max_tokens() const = 0;

  // Forgets all sequences and reads `prompt` as the only one.
  // Shapes: logits [prompt.size(), V] where logits.rows == prompt.size(); with fewer rows, those of
  // the last positions only.
  virtual void start(std::span<const int32_t> prompt, MatrixView<float> logits) = 0;

  // New set of sequences: sequence i continues old sequence parents[i] with tokens[i].
  // Shapes: logits [tokens.size(), V]. REQUIRES: parents[i] < number of sequences;
  // tokens.size() <= the number the model was made for.
  virtual void step(std::span<const int32_t> parents, std::span<const int32_t> tokens,
                    MatrixView<float> logits) = 0;
};

}  // namespace quintet::decode
