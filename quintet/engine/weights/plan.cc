#include "quintet/engine/weights/plan.h"

#include <nlohmann/json.hpp>

#include "quintet/engine/nn/weight_formats.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::weights {
namespace {

using nlohmann::json;

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

std::string plan_to_json(const Plan& plan) {
  json object = json::object();
  for (const auto& [name, choice] : plan) {
    json& entry = object[name];
    entry = {{"format", nn::weight_format_name(choice.format)}, {"reason", choice.reason}};
    if (choice.snr_db) entry["snr_db"] = *choice.snr_db;
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Plan> plan_from_json(const std::string& text, std::span<const LayerSpec> specs) {
  QT_TRY(const json object, io::parse_json(text, "layers"));
  Plan plan;
  for (const LayerSpec& spec : specs) {
    if (!is_matrix(spec.kind)) continue;
    const auto found = object.is_object() ? object.find(spec.name) : object.end();
    if (found == object.end()) {
      return Error(Code::kCorrupt, "layers: " + spec.name + " is missing");
    }
    QT_TRY(plan[spec.name], choice_from_json(*found).with("layers: " + spec.name));
  }
  return plan;
}

}  // namespace quintet::weights
