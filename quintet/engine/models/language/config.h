// Shapes and rules of a decoder-only language model, from whichever file describes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/nn/linear.h"

namespace quintet::language {

// Angles of rotary positions: position * theta^(-2 i / Dh), stretched for contexts longer than
// those of training.
struct RopeScaling {
  enum class Kind : uint8_t { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  double factor = 1;
  // kLlama3: wavelengths beyond original_positions / low_frequency are stretched by `factor`, those
  // below original_positions / high_frequency not at all. Source: transformers
  // modeling_rope_utils.py.
  double low_frequency = 1;
  double high_frequency = 4;
  double original_positions = 8192;
  // Beside these, what each frequency is divided by, [Dh / 2]; empty: nothing. GGUF files have it.
  std::vector<float> divisors = {};

  bool operator==(const RopeScaling&) const = default;
};

// Families (families.h) differ in these fields only.
struct Config {
  std::string family;  // "llama", "qwen3", ...: the model_type of config.json.
  int64_t d_model = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t ffn = 0;
  int64_t vocabulary = 0;
  int64_t max_positions = 0;

  float norm_eps = 1e-6f;
  double rope_theta = 10000;
  RopeScaling rope_scaling = {};
  // Layers with a sliding window: how many tokens a token sees there, and their own angles.
  int64_t sliding_window = 0;
  double sliding_rope_theta = 10000;
  RopeScaling sliding_rope_scaling = {};
  std::vector<bool> sliding = {};  // Of each layer.

  bool tied_embeddings = false;  // The output head is the token embedding.
  bool qkv_bias = false;
  bool out_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;            // Of each head of queries and keys, before rotation.
  bool sandwich_norms = false;     // Behind attention and feed-forward too, before the residual.
  bool offset_norms = false;       // Published gammas are stored less 1.
  bool fused_projections = false;  // Published q, k, v are one tensor, and so are gate and up.
  nn::GateActivation activation = nn::GateActivation::kSilu;
  float embedding_scale = 1;
  float query_scale = 0;  // Of the scores of attention.

  int64_t query_width() const { return heads * head_dim; }
  int64_t kv_width() const { return kv_heads * head_dim; }
  bool operator==(const Config&) const = default;
};

// What the publisher says about generating.
struct GenerationConfig {
  std::vector<int32_t> end_tokens;  // Any of them ends an answer.
  int32_t begin_token = -1;         // -1: none.
  bool sample = false;              // The publisher samples, with these settings.
  float temperature = 1;
  int64_t top_k = 0;  // 0 and -1: all.
  float top_p = 1;
  float repetition_penalty = 1;
};

// From a Hugging Face config.json and generation_config.json (empty: absent).
// Errors: kCorrupt with the key; kUnsupported, naming it, where the model asks for something that
// is not built.
Result<Config> config_from_json(const std::string& config_json);
Result<GenerationConfig> generation_from_json(const std::string& config_json,
                                              const std::string& generation_json);

// The inverse.
std::string config_to_json(const Config& config);
std::string generation_to_json(const GenerationConfig& generation);

// Errors: kCorrupt where numbers are not believable or contradict each other.
Result<void> check_config(const Config& config);

}  // namespace quintet::language
