#include "quintet/engine/models/whisper/plan.h"

#include <nlohmann/json.hpp>

#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/nn/weight_formats.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::whisper {
namespace {

using kernels::WeightFormat;
using nlohmann::json;

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

Result<LayerChoice> choice_from_json(const json& object) {
  if (!object.is_object()) return Error(Code::kCorrupt, "is not an object");
  LayerChoice choice;
  QT_TRY(const std::string format, io::string_field(object, "format"));
  const auto known = nn::weight_format_from_name(format);
  if (!known) return Error(Code::kCorrupt, "format " + io::in_quotes(format) + " is unknown");
  choice.format = *known;
  QT_TRY(choice.reason, io::string_field(object, "reason", ""));
  if (object.contains("snr_db")) {
    QT_TRY(choice.snr_db, io::number_field(object, "snr_db"));
  }
  return choice;
}

}  // namespace

Plan default_plan(const Config& config, Precision precision) {
  Plan plan;
  for (const LayerSpec& spec : layer_specs(config)) {
    if (is_matrix(spec.kind)) plan[spec.name] = default_choice(spec, precision);
  }
  return plan;
}

std::string plan_to_json(const Plan& plan) {
  json object = json::object();
  for (const auto& [name, choice] : plan) {
    json& entry = object[name];
    entry = {{"format", nn::weight_format_name(choice.format)}, {"reason", choice.reason}};
    if (choice.snr_db) entry["snr_db"] = *choice.snr_db;
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Plan> plan_from_json(const std::string& text, const Config& config) {
  QT_TRY(const json object, io::parse_json(text, "layers"));
  Plan plan;
  for (const LayerSpec& spec : layer_specs(config)) {
    if (!is_matrix(spec.kind)) continue;
    const auto found = object.is_object() ? object.find(spec.name) : object.end();
    if (found == object.end()) {
      return Error(Code::kCorrupt, "layers: " + spec.name + " is missing");
    }
    QT_TRY(plan[spec.name], choice_from_json(*found).with("layers: " + spec.name));
  }
  return plan;
}

}  // namespace quintet::whisper
