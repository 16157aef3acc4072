// Every weight of a language model: our name, its shape, and its name in each published format.
#pragma once

#include <vector>

#include "quintet/engine/models/language/config.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/weights/layer_spec.h"
#include "quintet/engine/weights/plan.h"

namespace quintet::language {

// In the order of the forward pass.
std::vector<weights::LayerSpec> layer_specs(const Config& config);

// What a precision means where nothing was measured.
weights::Plan default_plan(const Config& config, Precision precision);

}  // namespace quintet::language
