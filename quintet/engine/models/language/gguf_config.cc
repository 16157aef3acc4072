#include "quintet/engine/models/language/gguf_config.h"

#include <algorithm>
#include <cmath>

#include "quintet/engine/models/language/families.h"
#include "quintet/io/formats/gguf_blocks.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::language {
namespace {

using io::GgufMetadata;

// The keys of one architecture: "<architecture>.<name>".
class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), architecture_(std::move(architecture)) {}

  std::string key(const char* name) const { return architecture_ + "." + name; }
  Result<int64_t> integer(const char* name) const { return metadata_.int_field(key(name)); }
  Result<int64_t> integer(const char* name, int64_t fallback) const {
    return metadata_.int_field(key(name), fallback);
  }
  Result<std::vector<int64_t>> integers(const char* name) const {
    return metadata_.int_list_field(key(name));
  }
  Result<double> number(const char* name, double fallback) const {
    return metadata_.number_field(key(name), fallback);
  }
  Result<std::string_view> text(const char* name, std::string_view fallback) const {
    return metadata_.string_field(key(name), fallback);
  }

 private:
  const GgufMetadata& metadata_;
  std::string architecture_;
};

// Logical rows of a matrix, stored in blocks or not; 0 where it is missing.
int64_t rows_of_matrix(const io::WeightFile& file, std::string_view name) {
  if (const auto blocks = io::block_tensor(file, name); blocks && *blocks) {
    return (*blocks)->shape[0];
  }
  const TensorRef* tensor = file.find(name);
  return tensor == nullptr || tensor->shape.empty() ? 0 : tensor->shape[0];
}

// Factors for each frequency, which converters compute from Llama 3's scaling.
Result<std::vector<float>> rope_divisors(const io::WeightFile& file) {
  std::vector<float> divisors;
  const TensorRef* tensor = file.find("rope_freqs.weight");
  if (tensor == nullptr) return divisors;
  QT_TRY(divisors, io::to_f32(*tensor).with("rope_freqs.weight"));
  for (const float divisor : divisors) {
    if (divisor > 0 && std::isfinite(divisor)) continue;
    return Error(Code::kCorrupt, "rope_freqs.weight holds " + std::to_string(divisor) +
                                     ", expected positive numbers");
  }
  return divisors;
}

Result<void> read_rope(const io::WeightFile& file, const Keys& keys, Config& config) {
  QT_TRY(config.rope_theta, keys.number("rope.freq_base", 10000));
  QT_TRY(config.sliding_rope_theta, keys.number("rope.freq_base_swa", 10000));
  QT_TRY(const int64_t rotated, keys.integer("rope.dimension_count", config.head_dim));
  if (rotated != config.head_dim) {
    return Error(Code::kUnsupported, keys.key("rope.dimension_count") + " is " +
                                         std::to_string(rotated) + " of heads of " +
                                         std::to_string(config.head_dim) +
                                         "; rotating a part is not built");
  }
  QT_TRY(const std::string_view type, keys.text("rope.scaling.type", "none"));
  if (type == "linear") {
    config.rope_scaling.kind = RopeScaling::Kind::kLinear;
    QT_TRY(config.rope_scaling.factor, keys.number("rope.scaling.factor", 1));
  } else if (type != "none") {
    return Error(Code::kUnsupported, keys.key("rope.scaling.type") + " " + io::in_quotes(type) +
                                         " is not built; known are none and linear");
  }
  QT_TRY(config.rope_scaling.divisors, rope_divisors(file));
  return {};
}

Result<void> read_shapes(const io::WeightFile& file, const Keys& keys, Config& config) {
  QT_TRY(config.d_model, keys.integer("embedding_length"));
  QT_TRY(config.layers, keys.integer("block_count"));
  QT_TRY(config.heads, keys.integer("attention.head_count"));
  QT_TRY(config.kv_heads, keys.integer("attention.head_count_kv", config.heads));
  if (config.heads < 1 || config.layers < 1 || config.layers > 1024) {
    return Error(Code::kCorrupt, keys.key("block_count") + " and " +
                                     keys.key("attention.head_count") + " must be from 1 on");
  }
  QT_TRY(config.head_dim, keys.integer("attention.key_length", config.d_model / config.heads));
  QT_TRY(const int64_t value_dim, keys.integer("attention.value_length", config.head_dim));
  if (value_dim != config.head_dim) {
    return Error(Code::kUnsupported, "values of another size than keys are not built");
  }
  QT_TRY(config.ffn, keys.integer("feed_forward_length"));
  QT_TRY(config.max_positions, keys.integer("context_length"));
  config.vocabulary = rows_of_matrix(file, "token_embd.weight");
  config.tied_embeddings = rows_of_matrix(file, "output.weight") == 0;
  return {};
}

// Which layers have a window: a period, of whose layers the last has none, or one value a layer.
Result<void> read_windows(const Keys& keys, const Family& family, Config& config) {
  QT_TRY(config.sliding_window, keys.integer("attention.sliding_window", 0));
  if (config.sliding_window == 0) return {};
  constexpr const char* kPattern = "attention.sliding_window_pattern";
  if (const auto listed = keys.integers(kPattern)) {
    for (const int64_t sliding : *listed) config.sliding.push_back(sliding != 0);
    return {};
  }
  QT_TRY(const int64_t period, keys.integer(kPattern, family.sliding_period));
  for (int64_t i = 0; i < config.layers; ++i) {
    config.sliding.push_back(period <= 0 || (i + 1) % period != 0);
  }
  return {};
}

}  // namespace

Result<Config> config_from_gguf(const io::WeightFile& file, const GgufMetadata& metadata) {
  QT_TRY(const std::string_view architecture, metadata.string_field("general.architecture"));
  const Family* family = find_gguf_family(architecture);
  if (family == nullptr) {
    return Error(Code::kUnsupported,
                 "general.architecture " + io::in_quotes(architecture) + " is not built");
  }
  const Keys keys(metadata, std::string(architecture));
  Config config;
  QT_TRY_VOID(read_shapes(file, keys, config));
  QT_TRY_VOID(read_rope(file, keys, config));
  QT_TRY(const double eps, keys.number("attention.layer_norm_rms_epsilon", 1e-6));
  config.norm_eps = static_cast<float>(eps);
  config.query_scale = 1 / std::sqrt(static_cast<float>(config.head_dim));
  QT_TRY_VOID(read_windows(keys, *family, config));
  config.qkv_bias = file.find("blk.0.attn_q.bias") != nullptr;
  config.out_bias = file.find("blk.0.attn_output.bias") != nullptr;
  config.mlp_bias = file.find("blk.0.ffn_down.bias") != nullptr;
  apply_family(*family, config);
  QT_TRY_VOID(check_config(config));
  return config;
}

Result<GenerationConfig> generation_from_gguf(const GgufMetadata& metadata) {
  GenerationConfig generation;
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    QT_TRY(const int64_t id, metadata.int_field(key, -1));
    const auto token = static_cast<int32_t>(std::clamp<int64_t>(id, -1, 1'000'000));
    if (token >= 0) generation.end_tokens.push_back(token);
  }
  QT_TRY(const int64_t begin, metadata.int_field("tokenizer.ggml.bos_token_id", -1));
  generation.begin_token = static_cast<int32_t>(std::clamp<int64_t>(begin, -1, 1'000'000));
  return generation;
}

}  // namespace quintet::language
