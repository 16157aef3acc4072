// Which format each matrix of a Whisper model has at a precision.
#pragma once

#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/weights/plan.h"

namespace quintet::whisper {

using weights::LayerChoice;
using weights::Plan;

// What a precision means where nothing was measured.
Plan default_plan(const Config& config, Precision precision);

}  // namespace quintet::whisper
