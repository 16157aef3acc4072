// The weights of a Whisper model where its forward pass wants them.
#pragma once

#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/plan.h"
#include "quintet/engine/nn/linear.h"
#include "quintet/engine/nn/output_head.h"
#include "quintet/engine/weights/packed_model.h"

namespace quintet::whisper {

struct EncoderLayer {
  nn::Norm norm1;
  nn::Linear qkv;  // [3 D, D]
  nn::Linear out;  // [D, D]
  nn::Norm norm2;
  nn::Linear fc1;  // [ffn, D]
  nn::Linear fc2;  // [D, ffn]
};

struct DecoderLayer {
  nn::Norm norm1;
  nn::Linear qkv;  // [3 D, D]
  nn::Linear out;  // [D, D]
  nn::Norm cross_norm;
  nn::Linear cross_q;    // [D, D]
  nn::Linear cross_kv;   // [2 D, D]: keys, values
  nn::Linear cross_out;  // [D, D]
  nn::Norm norm2;
  nn::Linear fc1;  // [ffn, D]
  nn::Linear fc2;  // [D, ffn]
};

// Pointers into the tensors of a PackedModel.
struct Weights {
  nn::Linear conv1;                // [D, 3 F]
  nn::Linear conv2;                // [D, 3 D]
  const float* encoder_positions;  // [audio_positions, D]
  std::vector<EncoderLayer> encoder;
  nn::Norm encoder_norm;
  nn::OutputHead head;             // Token embeddings and output head [V, D]
  const float* decoder_positions;  // [text_positions, D]
  std::vector<DecoderLayer> decoder;
  nn::Norm decoder_norm;
};

using weights::PackedModel;

// Finds every weight among the tensors of `model`.
// Errors: kCorrupt where one is missing or has a shape that does not follow from `config`.
Result<Weights> bind_weights(const PackedModel& model, const Config& config);

}  // namespace quintet::whisper
