// Every weight of a Whisper model: our name, its shape, and its name in each published format.
#pragma once

#include <vector>

#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/weights/layer_spec.h"

namespace quintet::whisper {

using weights::is_matrix;
using weights::LayerKind;
using weights::LayerSpec;

// In the order of the forward pass.
std::vector<LayerSpec> layer_specs(const Config& config);

}  // namespace quintet::whisper
