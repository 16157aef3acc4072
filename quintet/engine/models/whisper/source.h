// Published weights as float32, layer by layer, whichever format they come in.
#pragma once

#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::whisper {

// One layer in float32.
struct DenseLayer {
  std::vector<float> weight;  // [n, k] (convolutions: [n, channels, 3] as published); norms: gamma
  std::vector<float> bias;    // [n], or empty; norms: beta
};

// Reads layer `spec` from a Hugging Face or CTranslate2 file; int8 is de-quantised.
// Errors: kCorrupt where a tensor is missing or has another shape than the configuration says.
Result<DenseLayer> read_layer(const io::WeightFile& file, const LayerSpec& spec);

}  // namespace quintet::whisper
