// In which format each matrix of a model is stored, and why.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "quintet/core/result.h"
#include "quintet/engine/weights/layer_spec.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::weights {

struct LayerChoice {
  kernels::WeightFormat format = kernels::WeightFormat::kF32;
  std::string reason;  // For people: "as int8 models have it".
  // Signal to noise of the layer's output at int8, in decibels, where it was measured.
  std::optional<double> snr_db = {};

  bool operator==(const LayerChoice&) const = default;
};

// By the name of the layer; every matrix has an entry.
using Plan = std::map<std::string, LayerChoice, std::less<>>;

// As it stands in the metadata of a packed file: {"encoder.conv1": {"format", "reason", "snr_db"}}.
std::string plan_to_json(const Plan& plan);
// Errors: kCorrupt where a matrix of `specs` is missing, or a format unknown.
Result<Plan> plan_from_json(const std::string& text, std::span<const LayerSpec> specs);

}  // namespace quintet::weights
