#include "quintet/engine/models/model_kind.h"

#include <string>
#include <system_error>

#include "quintet/engine/models/language/families.h"
#include "quintet/engine/weights/packed_file.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet {
namespace {

Result<ModelKind> kind_of(const std::filesystem::path& path) {
  QT_TRY(const io::WeightFile file, io::read_weights(path));
  if (file.format == "gguf") return ModelKind::kLanguage;
  std::string type;
  if (file.format == "packed") {
    QT_TRY(type, weights::packed_field(file, weights::kArchitecture));
    return type == "language" ? ModelKind::kLanguage : ModelKind::kSpeech;
  }
  std::error_code ignored;
  const auto folder = std::filesystem::is_directory(path, ignored) ? path : path.parent_path();
  QT_TRY(const nlohmann::json config, io::read_json_file(folder / "config.json"));
  QT_TRY(type, io::string_field(config, "model_type", ""));
  return language::find_family(type) != nullptr ? ModelKind::kLanguage : ModelKind::kSpeech;
}

}  // namespace

ModelKind model_kind(const std::filesystem::path& file_or_folder) {
  const auto kind = kind_of(file_or_folder);
  return kind ? *kind : ModelKind::kSpeech;
}

}  // namespace quintet
