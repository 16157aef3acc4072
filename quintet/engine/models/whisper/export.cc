// From published weights to a Hugging Face folder.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/weights/published_layer.h"
#include "quintet/io/formats/safetensors.h"

namespace quintet::whisper {

namespace fs = std::filesystem;

using weights::DenseLayer;
using weights::read_layer;

namespace {

std::vector<std::byte> stored_as(std::span<const float> values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * static_cast<size_t>(dtype_bytes(dtype)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF16) {
      const uint16_t half = f16_from_f32(values[i]);
      std::copy_n(reinterpret_cast<const std::byte*>(&half), 2, bytes.data() + 2 * i);
    } else {
      std::copy_n(reinterpret_cast<const std::byte*>(&values[i]), 4, bytes.data() + 4 * i);
    }
  }
  return bytes;
}

// Cuts a layer into the tensors that a Hugging Face file holds.
class HuggingFaceTensors {
 public:
  explicit HuggingFaceTensors(DType dtype) : dtype_(dtype) {}

  void add(const LayerSpec& spec, const DenseLayer& layer) {
    const auto parts = static_cast<int64_t>(spec.hugging_face.size());
    const int64_t rows = spec.n / parts;
    const bool norm = spec.kind == LayerKind::kNorm;
    for (int64_t p = 0; p < parts; ++p) {
      const std::string& stem = spec.hugging_face[static_cast<size_t>(p)].stem;
      const Shape shape = norm                            ? Shape{rows}
                          : spec.kind == LayerKind::kConv ? Shape{rows, spec.k / 3, 3}
                                                          : Shape{rows, spec.k};
      add_part(spec.kind == LayerKind::kTable ? stem : stem + ".weight", shape, layer.weight, p);
      if (!layer.bias.empty() && !stem.ends_with("k_proj")) {
        add_part(stem + ".bias", {rows}, layer.bias, p);
      }
    }
  }

  Result<void> write(const fs::path& file) const {
    std::vector<io::TensorEntry> entries;
    for (const Tensor& t : tensors_) entries.push_back({t.name, dtype_, t.shape, t.bytes});
    return io::write_safetensors(file, entries, {{"format", "pt"}});
  }

 private:
  struct Tensor {
    std::string name;
    Shape shape;
    std::vector<std::byte> bytes;
  };

  void add_part(const std::string& name, const Shape& shape, const std::vector<float>& values,
                int64_t part) {
    const auto count = static_cast<size_t>(element_count(shape));
    tensors_.push_back(
        {name, shape,
         stored_as(std::span(values).subspan(static_cast<size_t>(part) * count, count), dtype_)});
  }

  DType dtype_;
  std::vector<Tensor> tensors_;
};

// The ids that transformers' generate() reads from the configuration: without them it does not know
// where a text ends. Empty where there is no tokenizer.
Result<nlohmann::json> token_ids(const std::string& tokenizer_json) {
  nlohmann::json ids = nlohmann::json::object();
  if (tokenizer_json.empty()) return ids;
  QT_TRY(const auto tokenizer, io::BpeTokenizer::parse(tokenizer_json, "tokenizer.json"));
  const std::pair<const char*, const char*> names[] = {
      {"eos_token_id", "<|endoftext|>"},        {"bos_token_id", "<|endoftext|>"},
      {"pad_token_id", "<|endoftext|>"},        {"decoder_start_token_id", "<|startoftranscript|>"},
      {"prev_sot_token_id", "<|startofprev|>"}, {"no_timestamps_token_id", "<|notimestamps|>"},
  };
  for (const auto& [key, token] : names) {
    if (const auto id = tokenizer.token_id(token)) ids[key] = *id;
  }
  for (const char* task : {"transcribe", "translate"}) {
    if (const auto id = tokenizer.token_id("<|" + std::string(task) + "|>")) {
      ids["task_to_id"][task] = *id;
    }
  }
  // Languages lie between the start and the tasks.
  const auto start = tokenizer.token_id("<|startoftranscript|>");
  const auto last = tokenizer.token_id("<|translate|>");
  for (int32_t id = start.value_or(0) + 1; start && last && id < *last; ++id) {
    ids["lang_to_id"][std::string(tokenizer.token_bytes(id))] = id;
  }
  return ids;
}

}  // namespace

Result<void> export_hugging_face(const fs::path& source, const fs::path& folder, DType dtype) {
  const auto write = [&]() -> Result<void> {
    QT_TRY(const io::WeightFile weights, io::read_weights(source));
    if (weights.format == "packed") {
      return Error(Code::kUnsupported,
                   "is packed already; Hugging Face files are made from the published weights");
    }
    std::error_code error;
    const fs::path from = fs::is_directory(source, error) ? source : source.parent_path();
    QT_TRY(const Description model, read_description(weights, from));
    HuggingFaceTensors tensors(dtype);
    for (const LayerSpec& spec : layer_specs(model.config)) {
      QT_TRY(const DenseLayer layer, read_layer(weights, spec));
      tensors.add(spec, layer);
    }
    fs::create_directories(folder, error);
    if (error) {
      return Error(Code::kIo, folder.string() + ": cannot be made: " + error.message());
    }
    if (fs::equivalent(from, folder, error)) {
      return Error(Code::kInvalidArgument,
                   "is also the output; its files would be replaced: use another folder");
    }
    // The weights first: they are what a full disk refuses.
    QT_TRY_VOID(tensors.write(folder / "model.safetensors"));
    QT_TRY(const nlohmann::json tokens, token_ids(model.tokenizer_json));
    const auto write_json = [&](const char* name, const std::string& text) {
      nlohmann::json object = nlohmann::json::parse(text);
      object.update(tokens);
      return write_file_atomically(folder / name, object.dump(2));
    };
    QT_TRY_VOID(write_json("config.json", config_to_json(model.config)));
    QT_TRY_VOID(write_json("generation_config.json", generation_to_json(model.generation)));
    if (!model.tokenizer_json.empty()) {
      QT_TRY_VOID(write_file_atomically(folder / "tokenizer.json", model.tokenizer_json));
    }
    return {};
  };
  return write().with(source.string());
}

}  // namespace quintet::whisper
