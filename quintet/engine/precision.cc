#include "quintet/engine/precision.h"

namespace quintet {

std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::kF32: return "fp32";
    case Precision::kBF16: return "bf16";
    case Precision::kInt8: return "int8";
    case Precision::kInt4: return "int4";
  }
  return "?";
}

Result<std::optional<Precision>> parse_precision(std::string_view name) {
  if (name == "auto") return std::optional<Precision>();
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    if (name == precision_name(precision)) return std::optional(precision);
  }
  return Error(Code::kInvalidArgument, "precision \"" + std::string(name) +
                                           "\" is unknown; use auto, fp32, bf16, int8 or int4");
}

}  // namespace quintet
