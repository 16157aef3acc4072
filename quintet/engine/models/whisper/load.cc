// Whisper models from and to files.
#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/automatic_precision.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/weights/packed_file.h"

namespace quintet::whisper {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

constexpr const char* kTokenizerJson = "tokenizer.json";

// Keys of a packed file's metadata, of which the last stands only in files that passed a check.
constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kAccuracyCheck = "accuracy_check";

fs::path folder_of(const fs::path& model) {
  std::error_code ignored;
  return fs::is_directory(model, ignored) ? model : model.parent_path();
}

Result<std::string> read_json(const fs::path& folder, const char* name) {
  return read_file(folder / name, kMaxJsonBytes);
}

// Empty where the file does not exist.
Result<std::string> read_optional_json(const fs::path& folder, const char* name) {
  std::error_code ignored;
  if (!fs::exists(folder / name, ignored)) return std::string();
  return read_json(folder, name);
}

Result<void> load_packed(io::WeightFile file, std::optional<Precision> wanted, ThreadPool& pool,
                         Model& model) {
  QT_TRY_VOID(weights::expect_architecture(file, "whisper"));
  QT_TRY(const Precision precision, weights::packed_precision(file, wanted));
  QT_TRY(const std::string config, weights::packed_field(file, kConfig));
  QT_TRY(const std::string generation, weights::packed_field(file, kGeneration));
  QT_TRY(model.tokenizer, weights::packed_tokenizer(file));
  QT_TRY(model.original_bytes, weights::packed_original_bytes(file));
  QT_TRY(model.config, config_from_json(config));
  QT_TRY(model.generation, generation_from_json(config, generation));
  if (const auto check = file.metadata.find(kAccuracyCheck); check != file.metadata.end()) {
    QT_TRY(model.accuracy_check, accuracy_check_from_json(check->second));
  }
  QT_TRY(model.packed,
         weights::open_packed_model(std::move(file), precision, layer_specs(model.config), pool));
  return {};
}

Result<void> load_published(const io::WeightFile& source, const fs::path& path, Precision precision,
                            std::optional<Plan> plan, ThreadPool& pool, Model& model) {
  QT_TRY(Description description, read_description(source, folder_of(path)));
  model.config = description.config;
  model.generation = std::move(description.generation);
  model.original_bytes = source.file_bytes();
  if (!plan) plan = default_plan(model.config, precision);
  QT_TRY(model.packed,
         weights::pack_model(source, layer_specs(model.config), precision, *std::move(plan), pool));
  if (!description.tokenizer_json.empty()) {
    QT_TRY(model.tokenizer, io::BpeTokenizer::parse(description.tokenizer_json, kTokenizerJson));
  }
  return {};
}

// What holds for every model, wherever it came from.
Result<std::unique_ptr<Model>> finish(std::unique_ptr<Model> model) {
  QT_TRY(model->weights, bind_weights(model->packed, model->config));
  if (model->tokenizer && model->tokenizer->size() > model->config.vocabulary) {
    return Error(Code::kCorrupt, "the tokenizer has " + std::to_string(model->tokenizer->size()) +
                                     " tokens, the model only " +
                                     std::to_string(model->config.vocabulary));
  }
  return model;
}

Result<std::unique_ptr<Model>> load_unnamed(const fs::path& path,
                                            std::optional<Precision> precision, ThreadPool& pool) {
  auto model = std::make_unique<Model>();
  QT_TRY(io::WeightFile source, io::read_weights(path));
  model->source_format = source.format;
  if (source.format == "packed") {
    QT_TRY_VOID(load_packed(std::move(source), precision, pool, *model));
    return finish(std::move(model));
  }
  if (!precision) {
    AutomaticPrecision automatic = automatic_precision(folder_of(path));
    precision = automatic.precision;
    model->accuracy_check = std::move(automatic.check);
    model->precision_unmeasured = !model->accuracy_check;
  }
  QT_TRY_VOID(load_published(source, path, *precision, {}, pool, *model));
  return finish(std::move(model));
}

Result<std::unique_ptr<Model>> load_planned(const fs::path& path, Precision precision, Plan plan,
                                            ThreadPool& pool) {
  auto model = std::make_unique<Model>();
  QT_TRY(const io::WeightFile source, io::read_weights(path));
  model->source_format = source.format;
  if (source.format == "packed") {
    return Error(Code::kUnsupported, "is packed already; start from the published weights");
  }
  QT_TRY_VOID(load_published(source, path, precision, std::move(plan), pool, *model));
  return finish(std::move(model));
}

}  // namespace

Result<Description> read_description(const io::WeightFile& source, const fs::path& folder) {
  Description description;
  QT_TRY(const std::string config, read_json(folder, kConfig));
  if (source.format == "ct2") {
    QT_TRY(description.config, config_from_ct2(source));
    QT_TRY(description.generation, generation_from_ct2(config));
  } else {
    QT_TRY(const std::string generation, read_optional_json(folder, kGeneration));
    QT_TRY(description.config, config_from_json(config));
    QT_TRY(description.generation, generation_from_json(config, generation));
  }
  QT_TRY(description.tokenizer_json, read_optional_json(folder, kTokenizerJson));
  return description;
}

Result<std::unique_ptr<Model>> load_model(const fs::path& path, std::optional<Precision> precision,
                                          ThreadPool& pool) {
  return load_unnamed(path, precision, pool).with(path.string());
}

Result<std::unique_ptr<Model>> load_published_model(const fs::path& path, Precision precision,
                                                    Plan plan, ThreadPool& pool) {
  return load_planned(path, precision, std::move(plan), pool).with(path.string());
}

Result<void> save_packed(const Model& model, const fs::path& file) {
  weights::Metadata metadata = {{kConfig, config_to_json(model.config)},
                                {kGeneration, generation_to_json(model.generation)}};
  if (model.accuracy_check) {
    metadata.emplace(kAccuracyCheck, accuracy_check_to_json(*model.accuracy_check));
  }
  return weights::write_packed_model(file, model.packed, "whisper", model.original_bytes,
                                     model.tokenizer, std::move(metadata));
}

}  // namespace quintet::whisper
