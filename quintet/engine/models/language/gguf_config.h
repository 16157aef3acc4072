// What a GGUF file says about a language model beside its weights.
#pragma once

#include <optional>
#include <string>

#include "quintet/core/result.h"
#include "quintet/engine/models/language/config.h"
#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::language {

// Errors: kCorrupt with the key; kUnsupported, naming it, where the model asks for something that
// is not built.
Result<Config> config_from_gguf(const io::WeightFile& file, const io::GgufMetadata& metadata);
Result<GenerationConfig> generation_from_gguf(const io::GgufMetadata& metadata);

}  // namespace quintet::language
