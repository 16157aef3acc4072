// The weights of a language model where its forward pass wants them.
#pragma once

#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/language/config.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/output_head.h"
#include "quintet/engine/weights/packed_model.h"

namespace quintet::language {

// Norms without gamma are not there.
struct Layer {
  nn::Norm norm1;
  nn::Linear qkv;  // [(Nh + 2 Nkv) Dh, D]: queries, keys, values
  nn::Norm q_norm;
  nn::Norm k_norm;
  nn::Linear out;  // [D, Nh Dh]
  nn::Norm out_norm;
  nn::Norm norm2;
  nn::GatedLinear feed_in;  // [ffn, D] twice
  nn::Linear down;          // [D, ffn]
  nn::Norm down_norm;
};

// Pointers into the tensors of a PackedModel.
struct Weights {
  kernels::PackedWeights embedding;  // [V, D]; no panels: the head is the embedding.
  std::vector<Layer> layers;
  nn::Norm norm;
  nn::OutputHead head;  // [V, D]
};

// Finds every weight among the tensors of `model`.
// Errors: kCorrupt where one is missing or has a shape that does not follow from `config`.
Result<Weights> bind_weights(const weights::PackedModel& model, const Config& config);

}  // namespace quintet::language
