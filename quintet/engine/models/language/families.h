// The members of the decoder family, and what is the same in all models of one.
#pragma once

#include <span>
#include <string_view>

#include "quintet/engine/models/language/config.h"

namespace quintet::language {

struct Family {
  std::string_view model_type;  // In config.json.
  std::string_view gguf;        // "general.architecture"; the first family with it counts.
  bool qkv_bias = false;
  bool qk_norm = false;
  bool sandwich_norms = false;
  bool offset_norms = false;
  bool fused_projections = false;
  bool scaled_embedding = false;  // By sqrt(D).
  bool tied_embeddings = false;   // Where config.json does not say.
  nn::GateActivation activation = nn::GateActivation::kSilu;
  // GGUF files of the family interleave the halves of each head of queries and keys.
  bool gguf_interleaved = false;
  // Where a file names a sliding window and not the layers: of how many layers the last alone has
  // none; 0: all have it.
  int64_t sliding_period = 0;
};

std::span<const Family> families();
// Null where there is none.
const Family* find_family(std::string_view model_type);
const Family* find_gguf_family(std::string_view architecture);

// The fields of `config` that the family decides.
void apply_family(const Family& family, Config& config);

}  // namespace quintet::language
