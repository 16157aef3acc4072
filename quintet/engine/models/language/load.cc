// Language models from and to files.
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "quintet/core/file.h"
#include "quintet/engine/models/language/gguf_config.h"
#include "quintet/engine/models/language/layers.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/weights/packed_file.h"
#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/tokenizers/gguf_tokenizer.h"

namespace quintet::language {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

constexpr const char* kArchitecture = "language";
constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kTokenizerJson = "tokenizer.json";
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
constexpr const char* kChatTemplate = "chat_template.jinja";

// Empty where the file does not exist.
Result<std::string> read_optional(const fs::path& folder, const char* name) {
  std::error_code ignored;
  if (!fs::exists(folder / name, ignored)) return std::string();
  return read_file(folder / name, kMaxJsonBytes);
}

// A file of its own, or the one in tokenizer_config.json; of several named ones, "default".
Result<std::string> read_chat_template(const fs::path& folder) {
  QT_TRY(std::string own, read_optional(folder, kChatTemplate));
  QT_TRY(const std::string text, read_optional(folder, kTokenizerConfig));
  if (!own.empty() || text.empty()) return own;
  QT_TRY(const nlohmann::json object, io::parse_json(text, kTokenizerConfig));
  const auto found = object.is_object() ? object.find("chat_template") : object.end();
  if (found == object.end() || found->is_null()) return own;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const nlohmann::json& entry : *found) {
      QT_TRY(const std::string name, io::string_field(entry, "name"));
      if (name == "default") return io::string_field(entry, "template");
    }
  }
  return Error(Code::kCorrupt, std::string(kTokenizerConfig) +
                                   ": chat_template must be text or a list with a default");
}

Result<void> read_folder(const fs::path& folder, Model& model) {
  QT_TRY(const std::string config, read_file(folder / kConfig, kMaxJsonBytes));
  QT_TRY(const std::string generation, read_optional(folder, kGeneration));
  QT_TRY(const std::string tokenizer, read_optional(folder, kTokenizerJson));
  QT_TRY(model.config, config_from_json(config));
  QT_TRY(model.generation, generation_from_json(config, generation));
  QT_TRY(model.chat_template, read_chat_template(folder));
  if (tokenizer.empty()) return {};
  QT_TRY(model.tokenizer, io::BpeTokenizer::parse(tokenizer, kTokenizerJson));
  return {};
}

Result<void> read_gguf_description(const io::WeightFile& file, Model& model) {
  QT_TRY(const io::GgufMetadata metadata, io::read_gguf_metadata(file));
  QT_TRY(model.config, config_from_gguf(file, metadata));
  QT_TRY(model.generation, generation_from_gguf(metadata));
  if (metadata.has("tokenizer.ggml.model")) {
    QT_TRY(const io::BpeDefinition tokenizer, io::gguf_tokenizer(metadata));
    QT_TRY(model.tokenizer, io::BpeTokenizer::build(tokenizer, "tokenizer.ggml"));
  }
  QT_TRY(const std::string_view chat, metadata.string_field("tokenizer.chat_template", ""));
  model.chat_template = chat;
  return {};
}

Result<void> load_packed(io::WeightFile file, std::optional<Precision> wanted, ThreadPool& pool,
                         Model& model) {
  QT_TRY_VOID(weights::expect_architecture(file, kArchitecture));
  QT_TRY(const Precision precision, weights::packed_precision(file, wanted));
  QT_TRY(const std::string config, weights::packed_field(file, kConfig));
  QT_TRY(const std::string generation, weights::packed_field(file, kGeneration));
  QT_TRY(model.chat_template, weights::packed_field(file, kChatTemplate));
  QT_TRY(model.tokenizer, weights::packed_tokenizer(file));
  QT_TRY(model.original_bytes, weights::packed_original_bytes(file));
  QT_TRY(model.config, config_from_json(config));
  QT_TRY(model.generation, generation_from_json(config, generation));
  QT_TRY(model.packed,
         weights::open_packed_model(std::move(file), precision, layer_specs(model.config), pool));
  return {};
}

Result<void> load_published(const io::WeightFile& source, const fs::path& path, Precision precision,
                            ThreadPool& pool, Model& model) {
  std::error_code ignored;
  if (source.format == "gguf") {
    QT_TRY_VOID(read_gguf_description(source, model));
  } else {
    QT_TRY_VOID(read_folder(fs::is_directory(path, ignored) ? path : path.parent_path(), model));
  }
  model.original_bytes = source.file_bytes();
  QT_TRY(model.packed, weights::pack_model(source, layer_specs(model.config), precision,
                                           default_plan(model.config, precision), pool));
  return {};
}

Result<void> check_tokens(const Model& model) {
  const auto inside = [&](int64_t token) { return token < model.config.vocabulary; };
  if (model.tokenizer && model.tokenizer->size() > model.config.vocabulary) {
    return Error(Code::kCorrupt, "the tokenizer has " + std::to_string(model.tokenizer->size()) +
                                     " tokens, the model only " +
                                     std::to_string(model.config.vocabulary));
  }
  const auto outside = [&](const char* name, int32_t token) {
    return Error(Code::kCorrupt, std::string(name) + " " + std::to_string(token) +
                                     " is not in the vocabulary of " +
                                     std::to_string(model.config.vocabulary));
  };
  for (const int32_t token : model.generation.end_tokens) {
    if (!inside(token)) return outside("eos_token_id", token);
  }
  if (!inside(model.generation.begin_token)) {
    return outside("bos_token_id", model.generation.begin_token);
  }
  return {};
}

Result<std::unique_ptr<Model>> load_unnamed(const fs::path& path,
                                            std::optional<Precision> precision, ThreadPool& pool) {
  auto model = std::make_unique<Model>();
  QT_TRY(io::WeightFile source, io::read_weights(path));
  model->source_format = source.format;
  if (source.format == "packed") {
    QT_TRY_VOID(load_packed(std::move(source), precision, pool, *model));
  } else {
    if (!precision) precision = automatic_precision(source);
    QT_TRY_VOID(load_published(source, path, *precision, pool, *model));
  }
  QT_TRY_VOID(check_tokens(*model));
  QT_TRY(model->weights, bind_weights(model->packed, model->config));
  return model;
}

}  // namespace

Precision automatic_precision(const io::WeightFile& source) {
  uint64_t bytes_of_4_bits = 0;
  uint64_t bytes_of_blocks = 0;
  for (const auto& [name, layout] : source.layouts) {
    const uint64_t bytes = source.find(name)->bytes.size();
    bytes_of_blocks += bytes;
    if (layout.starts_with("q4_")) bytes_of_4_bits += bytes;
  }
  if (2 * bytes_of_4_bits > source.file_bytes()) return Precision::kInt4;
  if (2 * bytes_of_blocks > source.file_bytes()) return Precision::kInt8;
  return Precision::kBF16;
}

Result<std::unique_ptr<Model>> load_model(const fs::path& path, std::optional<Precision> precision,
                                          ThreadPool& pool) {
  return load_unnamed(path, precision, pool).with(path.string());
}

Result<void> save_packed(const Model& model, const fs::path& file) {
  return weights::write_packed_model(file, model.packed, kArchitecture, model.original_bytes,
                                     model.tokenizer,
                                     {{kConfig, config_to_json(model.config)},
                                      {kGeneration, generation_to_json(model.generation)},
                                      {kChatTemplate, model.chat_template}});
}

}  // namespace quintet::language
