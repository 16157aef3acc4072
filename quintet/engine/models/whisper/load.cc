// Whisper models from and to files.
#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/automatic_precision.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/io/formats/packed.h"

namespace quintet::whisper {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

constexpr const char* kTokenizerJson = "tokenizer.json";

// Keys of a packed file's metadata.
constexpr const char* kArchitecture = "architecture";
constexpr const char* kPrecision = "precision";
constexpr const char* kLayers = "layers";
constexpr const char* kAccuracyCheck = "accuracy_check";  // Only in files that passed one.
constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
const std::string kTokenizer(io::kTokenizerMetadata);  // Empty: the model has none.
constexpr const char* kOriginalBytes = "original_bytes";

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

Result<std::string> packed_field(const io::WeightFile& file, std::string_view key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    return Error(Code::kCorrupt, "the packed file lacks its field " + std::string(key) +
                                     "; convert the published model again");
  }
  return found->second;
}

// Unset where the file says that there is none.
Result<std::optional<io::BpeTokenizer>> packed_tokenizer(const io::WeightFile& file) {
  QT_TRY(const std::string settings, packed_field(file, kTokenizer));
  if (settings.empty()) return std::optional<io::BpeTokenizer>();
  QT_TRY(io::BpeTables tables, io::read_bpe_tables(file));
  QT_TRY(io::BpeTokenizer tokenizer, io::BpeTokenizer::open(std::move(tables)).with(kTokenizer));
  return std::optional(std::move(tokenizer));
}

Result<void> load_packed(io::WeightFile file, std::optional<Precision> wanted, ThreadPool& pool,
                         Model& model) {
  QT_TRY(const std::string architecture, packed_field(file, kArchitecture));
  if (architecture != "whisper") {
    return Error(Code::kUnsupported,
                 "the packed file holds a " + architecture + " model, expected whisper");
  }
  QT_TRY(const std::string name, packed_field(file, kPrecision));
  const auto parsed = parse_precision(name);
  if (!parsed || !*parsed) {
    return Error(Code::kCorrupt,
                 "the packed file says precision " + name + ", expected fp32, bf16, int8 or int4");
  }
  const std::optional<Precision> precision = *parsed;
  if (wanted && *wanted != *precision) {
    return Error(Code::kInvalidArgument,
                 "the packed file holds " + name + ", not " + std::string(precision_name(*wanted)) +
                     "; convert the published model again with --precision " +
                     std::string(precision_name(*wanted)));
  }
  QT_TRY(const std::string layers, packed_field(file, kLayers));
  QT_TRY(const std::string config, packed_field(file, kConfig));
  QT_TRY(const std::string generation, packed_field(file, kGeneration));
  QT_TRY(model.tokenizer, packed_tokenizer(file));
  QT_TRY(const std::string original_bytes, packed_field(file, kOriginalBytes));
  QT_TRY(model.config, config_from_json(config));
  QT_TRY(model.generation, generation_from_json(config, generation));
  if (const auto check = file.metadata.find(kAccuracyCheck); check != file.metadata.end()) {
    QT_TRY(model.accuracy_check, accuracy_check_from_json(check->second));
  }
  const char* const end = original_bytes.data() + original_bytes.size();
  const auto parsed_bytes = std::from_chars(original_bytes.data(), end, model.original_bytes);
  if (parsed_bytes.ec != std::errc() || parsed_bytes.ptr != end) {
    return Error(Code::kCorrupt, "original_bytes must be a number of bytes");
  }
  model.packed.precision = *precision;
  QT_TRY(model.packed.plan, weights::plan_from_json(layers, layer_specs(model.config)));
  std::erase_if(file.tensors,
                [](const auto& entry) { return entry.first.starts_with(io::kTokenizerTensors); });
  model.packed.tensors = std::move(file);
  if (huge_pages_offered()) {
    QT_TRY(model.packed.memory, model.packed.tensors.read_into_memory(pool));
  }
  return {};
}

Result<void> load_published(const io::WeightFile& source, const fs::path& path, Precision precision,
                            std::optional<Plan> plan, ThreadPool& pool, Model& model) {
  QT_TRY(Description description, read_description(source, folder_of(path)));
  model.config = description.config;
  model.generation = std::move(description.generation);
  model.original_bytes = source.file_bytes();
  if (!plan) plan = default_plan(model.config, precision);
  QT_TRY(model.packed, weights::pack_model(source, layer_specs(model.config), precision, *std::move(plan), pool));
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
  std::vector<io::PackedEntry> entries;
  for (const auto& [name, tensor] : model.packed.tensors.tensors) {
    entries.push_back(
        {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = tensor.bytes});
  }
  std::string tokenizer;
  if (model.tokenizer) {
    const io::BpeTables& tables = model.tokenizer->tables();
    QT_TRY(tokenizer, io::settings_text(tables.settings));
    for (const io::TensorEntry& entry : io::tensors_of(tables)) {
      entries.push_back(
          {.name = entry.name, .dtype = entry.dtype, .shape = entry.shape, .bytes = entry.bytes});
    }
  }
  std::map<std::string, std::string, std::less<>> metadata = {
      {kArchitecture, "whisper"},
      {kPrecision, std::string(precision_name(model.packed.precision))},
      {kLayers, weights::plan_to_json(model.packed.plan)},
      {kConfig, config_to_json(model.config)},
      {kGeneration, generation_to_json(model.generation)},
      {kTokenizer, tokenizer},
      {kOriginalBytes, std::to_string(model.original_bytes)}};
  if (model.accuracy_check) {
    metadata.emplace(kAccuracyCheck, accuracy_check_to_json(*model.accuracy_check));
  }
  return io::write_packed(file, metadata, entries);
}

}  // namespace quintet::whisper
