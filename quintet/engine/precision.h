// Numeric precision of a loaded model.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "quintet/core/result.h"

namespace quintet {

enum class Precision {
  kF32,   // As published: the yardstick.
  kBF16,  // Weights and matrix inputs bfloat16, sums and everything between float32.
  kInt8,  // Weights int8 per output channel, activations int8 per row; encoder attention and
          // cross-attention int8; convolutions bfloat16; logits estimated with 4 bits and made
          // exact in int8 where they can matter.
  kInt4,  // As kInt8, with those weights of the decoder that every token reads at 4 bits in groups
          // of 32.
};

// "fp32", "bf16", "int8", "int4".
std::string_view precision_name(Precision precision);
// nullopt for "auto". Errors: kInvalidArgument for a name that is none of them.
Result<std::optional<Precision>> parse_precision(std::string_view name);

}  // namespace quintet
