#include "quintet/engine/models/whisper/model.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/io/formats/packed.h"

namespace quintet::whisper {
namespace {

namespace fs = std::filesystem;
using kernels::WeightFormat;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

// Keys of a packed file's metadata.
constexpr const char* kArchitecture = "architecture";
constexpr const char* kPrecision = "precision";
constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kOriginalBytes = "original_bytes";

Result<std::string> read_json(const fs::path& folder, const char* name) {
  return read_file(folder / name, kMaxJsonBytes);
}

// Empty where the file does not exist.
Result<std::string> read_optional_json(const fs::path& folder, const char* name) {
  std::error_code ignored;
  if (!fs::exists(folder / name, ignored)) return std::string();
  return read_json(folder, name);
}

Result<std::string> packed_field(const io::WeightFile& file, const char* key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    return Error(Code::kCorrupt, std::string("the packed file lacks its field ") + key);
  }
  return found->second;
}

Result<void> load_packed(io::WeightFile file, std::optional<Precision> wanted, Model& model) {
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
  QT_TRY(const std::string config, packed_field(file, kConfig));
  QT_TRY(const std::string generation, packed_field(file, kGeneration));
  QT_TRY(model.tokenizer_json, packed_field(file, kTokenizer));
  QT_TRY(const std::string original_bytes, packed_field(file, kOriginalBytes));
  QT_TRY(model.config, config_from_json(config));
  QT_TRY(model.generation, generation_from_json(config, generation));
  model.original_bytes = std::strtoull(original_bytes.c_str(), nullptr, 10);
  model.packed.precision = *precision;
  model.packed.tensors = std::move(file);
  return {};
}

Result<std::unique_ptr<Model>> load_unnamed(const fs::path& path,
                                            std::optional<Precision> precision, ThreadPool& pool) {
  auto model = std::make_unique<Model>();
  QT_TRY(io::WeightFile source, io::read_weights(path));
  model->source_format = source.format;
  if (source.format == "packed") {
    QT_TRY_VOID(load_packed(std::move(source), precision, *model));
  } else {
    std::error_code ignored;
    const fs::path folder = fs::is_directory(path, ignored) ? path : path.parent_path();
    QT_TRY_VOID(read_description(source, folder, *model));
    model->original_bytes = source.file_bytes();
    QT_TRY(model->packed,
           pack_model(source, model->config, precision.value_or(Precision::kInt8), pool));
  }
  QT_TRY(model->weights, bind_weights(model->packed, model->config));
  if (!model->tokenizer_json.empty()) {
    QT_TRY(model->tokenizer, io::BpeTokenizer::parse(model->tokenizer_json, kTokenizer));
    if (model->tokenizer->size() > model->config.vocabulary) {
      return Error(Code::kCorrupt,
                   "tokenizer.json has " + std::to_string(model->tokenizer->size()) +
                       " tokens, the model only " + std::to_string(model->config.vocabulary));
    }
  }
  return model;
}

bool is_quantized(Precision precision) {
  return precision == Precision::kInt8 || precision == Precision::kInt4;
}

// bfloat16 models keep float32 here: vdpbf16ps runs at half the rate of float32 FMA on Intel's
// servers (gemm_bench prints both).
EncoderAttention encoder_attention(Precision precision, const Config& config, bool fuse) {
  const bool fits = config.d_model / config.encoder_heads <= kernels::kMaxInt8HeadDim;
  return is_quantized(precision) && fits && fuse ? EncoderAttention::kInt8 : EncoderAttention::kF32;
}

// The cross-attention cache is read once per token and bound by memory: fewer bytes pay on every
// processor.
WeightFormat cross_cache_format(Precision precision, const Config& config) {
  if (precision == Precision::kF32) return WeightFormat::kF32;
  const bool fits = config.d_model / config.decoder_heads <= kernels::kMaxInt8HeadDim;
  return is_quantized(precision) && fits ? WeightFormat::kI8 : WeightFormat::kBF16;
}

// Longest row that any layer reads.
int64_t widest_input(const Config& c) {
  return std::max({3 * c.mel_bins, 3 * c.d_model, c.encoder_ffn, c.decoder_ffn});
}

// Largest input of any layer in values, with room for the padding of one group.
int64_t largest_input(const Config& c) {
  const int64_t conv =
      std::max(c.mel_frames() * (3 * c.mel_bins + 3), c.audio_positions * (3 * c.d_model + 3));
  const int64_t rows = std::max(c.audio_positions, c.text_positions);
  const int64_t widest = std::max({c.d_model, c.encoder_ffn, c.decoder_ffn});
  return std::max(conv, rows * (widest + 3));
}

}  // namespace

Result<void> read_description(const io::WeightFile& source, const fs::path& folder, Model& model) {
  QT_TRY(const std::string config, read_json(folder, kConfig));
  if (source.format == "ct2") {
    QT_TRY(model.config, config_from_ct2(source));
    QT_TRY(model.generation, generation_from_ct2(config));
  } else {
    QT_TRY(const std::string generation, read_optional_json(folder, kGeneration));
    QT_TRY(model.config, config_from_json(config));
    QT_TRY(model.generation, generation_from_json(config, generation));
  }
  QT_TRY(model.tokenizer_json, read_optional_json(folder, kTokenizer));
  return {};
}

uint64_t Model::weight_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : packed.tensors.tensors) bytes += tensor.bytes.size();
  return bytes;
}

Result<std::unique_ptr<Model>> load_model(const fs::path& path, std::optional<Precision> precision,
                                          ThreadPool& pool) {
  return load_unnamed(path, precision, pool).with(path.string());
}

Result<void> save_packed(const Model& model, const fs::path& file) {
  std::vector<io::PackedEntry> entries;
  for (const auto& [name, tensor] : model.packed.tensors.tensors) {
    entries.push_back(
        {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = tensor.bytes});
  }
  return io::write_packed(file,
                          {{kArchitecture, "whisper"},
                           {kPrecision, std::string(precision_name(model.packed.precision))},
                           {kConfig, config_to_json(model.config)},
                           {kGeneration, generation_to_json(model.generation)},
                           {kTokenizer, model.tokenizer_json},
                           {kOriginalBytes, std::to_string(model.original_bytes)}},
                          entries);
}

Session::Session(const Model& model, ThreadPool& pool, bool baseline)
    : model_(model),
      scratch_(std::max(model.config.mel_frames(), model.config.text_positions),
               largest_input(model.config), pool.threads(), widest_input(model.config)),
      runtime_{pool, scratch_, !baseline},
      encoder_(model.config, encoder_attention(model.packed.precision, model.config, !baseline),
               pool.threads(), !baseline),
      decoder_(runtime_, model.config, model.weights,
               cross_cache_format(model.packed.precision, model.config)) {}

EncodedWindow Session::encode(int64_t frames) {
  whisper::encode(runtime_, model_.config, model_.weights, frames, encoder_);
  return decoder_.add_window(encoder_.output());
}

size_t Session::activation_bytes() const {
  return scratch_.bytes() + encoder_.bytes() + decoder_.activation_bytes();
}

}  // namespace quintet::whisper
