#include "quintet/engine/weights/packed_file.h"

#include <charconv>
#include <utility>
#include <vector>

#include "quintet/io/formats/packed.h"

namespace quintet::weights {

namespace {

const std::string kTokenizer(io::kTokenizerMetadata);  // Empty: the model has none.

}  // namespace

Result<std::string> packed_field(const io::WeightFile& file, std::string_view key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    return Error(Code::kCorrupt, "the packed file lacks its field " + std::string(key) +
                                     "; convert the published model again");
  }
  return found->second;
}

Result<void> expect_architecture(const io::WeightFile& file, std::string_view architecture) {
  QT_TRY(const std::string found, packed_field(file, kArchitecture));
  if (found == architecture) return {};
  return Error(Code::kUnsupported, "the packed file holds a " + found + " model, expected " +
                                       std::string(architecture));
}

Result<Precision> packed_precision(const io::WeightFile& file, std::optional<Precision> wanted) {
  QT_TRY(const std::string name, packed_field(file, kPrecision));
  const auto parsed = parse_precision(name);
  if (!parsed || !*parsed) {
    return Error(Code::kCorrupt,
                 "the packed file says precision " + name + ", expected fp32, bf16, int8 or int4");
  }
  if (wanted && *wanted != **parsed) {
    return Error(Code::kInvalidArgument,
                 "the packed file holds " + name + ", not " + std::string(precision_name(*wanted)) +
                     "; convert the published model again with --precision " +
                     std::string(precision_name(*wanted)));
  }
  return **parsed;
}

Result<uint64_t> packed_original_bytes(const io::WeightFile& file) {
  QT_TRY(const std::string text, packed_field(file, kOriginalBytes));
  uint64_t bytes = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, bytes);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Error(Code::kCorrupt, "original_bytes must be a number of bytes");
  }
  return bytes;
}

Result<std::optional<io::BpeTokenizer>> packed_tokenizer(const io::WeightFile& file) {
  QT_TRY(const std::string settings, packed_field(file, kTokenizer));
  if (settings.empty()) return std::optional<io::BpeTokenizer>();
  QT_TRY(io::BpeTables tables, io::read_bpe_tables(file));
  QT_TRY(io::BpeTokenizer tokenizer, io::BpeTokenizer::open(std::move(tables)).with(kTokenizer));
  return std::optional(std::move(tokenizer));
}

Result<PackedModel> open_packed_model(io::WeightFile file, Precision precision,
                                      std::span<const LayerSpec> specs, ThreadPool& pool) {
  PackedModel model;
  model.precision = precision;
  QT_TRY(const std::string layers, packed_field(file, kLayers));
  QT_TRY(model.plan, plan_from_json(layers, specs));
  std::erase_if(file.tensors,
                [](const auto& entry) { return entry.first.starts_with(io::kTokenizerTensors); });
  model.tensors = std::move(file);
  if (huge_pages_offered()) {
    QT_TRY(model.memory, model.tensors.read_into_memory(pool));
  }
  return model;
}

Result<void> write_packed_model(const std::filesystem::path& file, const PackedModel& model,
                                std::string_view architecture, uint64_t original_bytes,
                                const std::optional<io::BpeTokenizer>& tokenizer,
                                Metadata metadata) {
  std::vector<io::PackedEntry> entries;
  for (const auto& [name, tensor] : model.tensors.tensors) {
    entries.push_back(
        {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = tensor.bytes});
  }
  std::string settings;
  if (tokenizer) {
    const io::BpeTables& tables = tokenizer->tables();
    QT_TRY(settings, io::settings_text(tables.settings));
    for (const io::TensorEntry& entry : io::tensors_of(tables)) {
      entries.push_back(
          {.name = entry.name, .dtype = entry.dtype, .shape = entry.shape, .bytes = entry.bytes});
    }
  }
  metadata.emplace(kArchitecture, architecture);
  metadata.emplace(kPrecision, precision_name(model.precision));
  metadata.emplace(kLayers, plan_to_json(model.plan));
  metadata.emplace(kTokenizer, settings);
  metadata.emplace(kOriginalBytes, std::to_string(original_bytes));
  return io::write_packed(file, metadata, entries);
}

}  // namespace quintet::weights
