#include "quintet/engine/models/whisper/plan.h"

#include "quintet/engine/models/whisper/layers.h"

namespace quintet::whisper {
namespace {

using kernels::WeightFormat;

// Read for every token, and so bound by memory. cross_kv runs once over the whole audio; the head
// is estimated with 4 bits anyway.
bool is_decoding(const LayerSpec& spec) {
  return spec.name.starts_with("decoder.layers.") && !spec.name.ends_with(".cross_kv");
}

LayerChoice default_choice(const LayerSpec& spec, Precision precision) {
  const std::string usual = "as " + std::string(precision_name(precision)) + " models have it";
  switch (precision) {
    case Precision::kF32: return {WeightFormat::kF32, usual};
    case Precision::kBF16: return {WeightFormat::kBF16, usual};
    case Precision::kInt8:
    case Precision::kInt4: break;
  }
  if (spec.kind == LayerKind::kConv) {
    return {WeightFormat::kBF16,
            "sees the raw spectrogram; the most sensitive stage, 3 % of the work"};
  }
  if (precision == Precision::kInt4 && is_decoding(spec)) return {WeightFormat::kI4, usual};
  return {WeightFormat::kI8, usual};
}

}  // namespace

Plan default_plan(const Config& config, Precision precision) {
  Plan plan;
  for (const LayerSpec& spec : layer_specs(config)) {
    if (is_matrix(spec.kind)) plan[spec.name] = default_choice(spec, precision);
  }
  return plan;
}

}  // namespace quintet::whisper
