#include "quintet/engine/models/language/config.h"

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "quintet/engine/models/language/families.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::language {
namespace {

using nlohmann::json;

// Believable values: an absurd configuration must fail before memory is asked for.
struct Field {
  const char* key;  // In a Hugging Face config.json.
  int64_t Config::*member;
  int64_t max;
};
constexpr std::array<Field, 9> kFields = {{
    {"hidden_size", &Config::d_model, 65536},
    {"num_hidden_layers", &Config::layers, 1024},
    {"num_attention_heads", &Config::heads, 1024},
    {"num_key_value_heads", &Config::kv_heads, 1024},
    {"head_dim", &Config::head_dim, 1024},
    {"intermediate_size", &Config::ffn, 524288},
    {"vocab_size", &Config::vocabulary, 1'000'000},
    {"max_position_embeddings", &Config::max_positions, int64_t{1} << 28},
    {"sliding_window", &Config::sliding_window, int64_t{1} << 28},
}};

Error unsupported(const std::string& what) { return {Code::kUnsupported, what}; }

Result<void> check_partial_rotation(const json& object) {
  QT_TRY(const double share, io::number_field(object, "partial_rotary_factor", 1.0));
  if (share != 1.0) return unsupported("partial_rotary_factor other than 1 is not built");
  return {};
}

// The member `key` as an object; an empty one where it is missing or null.
Result<json> object_or_empty(const json& object, const char* key) {
  QT_TRY(const json* found, io::optional_object_field(object, key));
  return found == nullptr ? json::object() : *found;
}

Result<RopeScaling> rope_scaling(const json& rope) {
  RopeScaling scaling;
  QT_TRY_VOID(check_partial_rotation(rope));
  // Before transformers 4.43 the key was "type".
  QT_TRY(const std::string older, io::string_field(rope, "type", "default"));
  QT_TRY(const std::string type, io::string_field(rope, "rope_type", older));
  if (type == "default") return scaling;
  if (type != "linear" && type != "llama3") {
    return unsupported("rope_type " + io::in_quotes(type) +
                       " is not built; known are default, linear and llama3");
  }
  QT_TRY(scaling.factor, io::number_field(rope, "factor"));
  scaling.kind = RopeScaling::Kind::kLinear;
  if (type == "linear") return scaling;
  scaling.kind = RopeScaling::Kind::kLlama3;
  QT_TRY(scaling.low_frequency, io::number_field(rope, "low_freq_factor"));
  QT_TRY(scaling.high_frequency, io::number_field(rope, "high_freq_factor"));
  QT_TRY(scaling.original_positions, io::number_field(rope, "original_max_position_embeddings"));
  return scaling;
}

// Angles of the layers of one type, where each type has its own.
Result<void> read_layer_rope(const json& parameters, const char* type, double& theta,
                             RopeScaling& scaling) {
  QT_TRY(const json own, object_or_empty(parameters, type));
  QT_TRY(theta, io::number_field(own, "rope_theta", theta));
  QT_TRY(scaling, rope_scaling(own));
  return {};
}

// Transformers 5 keeps everything in "rope_parameters", for each type of layer where they differ;
// before, "rope_theta" and "rope_scaling" stood beside each other.
Result<void> read_rope(const json& object, Config& config) {
  QT_TRY_VOID(check_partial_rotation(object));
  QT_TRY(const json scaling, object_or_empty(object, "rope_scaling"));
  QT_TRY(const json parameters, object_or_empty(object, "rope_parameters"));
  QT_TRY(config.rope_theta, io::number_field(object, "rope_theta", 10000.0));
  QT_TRY(config.rope_theta, io::number_field(parameters, "rope_theta", config.rope_theta));
  QT_TRY(config.sliding_rope_theta,
         io::number_field(object, "rope_local_base_freq", config.rope_theta));
  if (parameters.contains("full_attention")) {
    QT_TRY_VOID(
        read_layer_rope(parameters, "full_attention", config.rope_theta, config.rope_scaling));
    return read_layer_rope(parameters, "sliding_attention", config.sliding_rope_theta,
                           config.sliding_rope_scaling);
  }
  QT_TRY(config.rope_scaling, rope_scaling(parameters.empty() ? scaling : parameters));
  if (!object.contains("rope_local_base_freq")) config.sliding_rope_scaling = config.rope_scaling;
  return {};
}

// Factors that GGUF files have and config.json has not, in Quintet's own files.
Result<void> read_rope_divisors(const json& object, Config& config) {
  const auto found = object.find("rope_divisors");
  if (found == object.end()) return {};
  for (const json& value : *found) {
    if (!value.is_number()) return Error(Code::kCorrupt, "rope_divisors must hold numbers");
    config.rope_scaling.divisors.push_back(value.get<float>());
  }
  return {};
}

// One entry a layer.
Result<void> read_layer_types(const json& object, Config& config) {
  QT_TRY(const std::vector<std::string> names, io::string_list_field(object, "layer_types"));
  if (std::ssize(names) != config.layers) {
    return Error(Code::kCorrupt, "layer_types has " + std::to_string(names.size()) +
                                     " entries for " + std::to_string(config.layers) + " layers");
  }
  for (const std::string& name : names) {
    if (name != "full_attention" && name != "sliding_attention") {
      return unsupported("layer_types names " + io::in_quotes(name) + ", which is not built");
    }
    config.sliding.push_back(name == "sliding_attention");
  }
  return {};
}

Result<void> read_windows(const json& object, const Family& family, Config& config) {
  // Qwen's files name a window that counts only where they say so, and the first layer with it.
  const bool named_only = object.contains("max_window_layers");
  QT_TRY(config.sliding_window, io::int_field(object, "sliding_window", 0));
  QT_TRY(const bool used, io::bool_field(object, "use_sliding_window", !named_only));
  if (!used) config.sliding_window = 0;
  if (config.sliding_window == 0) return {};
  if (const auto types = object.find("layer_types"); types != object.end() && !types->is_null()) {
    return read_layer_types(object, config);
  }
  QT_TRY(const int64_t first, io::int_field(object, "max_window_layers", 0));
  QT_TRY(const int64_t older,
         io::int_field(object, "sliding_window_pattern", family.sliding_period));
  QT_TRY(const int64_t period, io::int_field(object, "_sliding_window_pattern", older));
  for (int64_t i = 0; i < config.layers; ++i) {
    config.sliding.push_back(i >= first && (period <= 0 || (i + 1) % period != 0));
  }
  return {};
}

Result<void> read_rules(const json& object, const Family& family, Config& config) {
  QT_TRY(const double eps, io::number_field(object, "rms_norm_eps", 1e-6));
  config.norm_eps = static_cast<float>(eps);
  QT_TRY(config.tied_embeddings,
         io::bool_field(object, "tie_word_embeddings", family.tied_embeddings));
  QT_TRY(config.qkv_bias, io::bool_field(object, "attention_bias", false));
  QT_TRY(config.out_bias, io::bool_field(object, "attention_out_bias", config.qkv_bias));
  QT_TRY(config.mlp_bias, io::bool_field(object, "mlp_bias", false));
  QT_TRY(const double per_head,
         io::number_field(object, "query_pre_attn_scalar", static_cast<double>(config.head_dim)));
  config.query_scale = static_cast<float>(1 / std::sqrt(per_head));
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    QT_TRY(const double cap, io::number_field(object, key, 0.0));
    if (cap != 0) return unsupported(std::string(key) + " is not built");
  }
  QT_TRY(const std::string older, io::string_field(object, "hidden_act", ""));
  QT_TRY(const std::string activation, io::string_field(object, "hidden_activation", older));
  const bool silu = family.activation == nn::GateActivation::kSilu;
  if (!activation.empty() && activation != (silu ? "silu" : "gelu_pytorch_tanh")) {
    return unsupported("hidden_act " + io::in_quotes(activation) + " is not built for " +
                       std::string(family.model_type));
  }
  return {};
}

std::string known_families() {
  std::string names;
  for (const Family& family : families()) {
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  }
  return names;
}

// Token ids under `key`: one number or a list.
Result<std::vector<int32_t>> token_ids(const json& object, const char* key) {
  std::vector<int32_t> ids;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return ids;
  for (const json& id : found->is_array() ? *found : json::array({*found})) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > 1'000'000) {
      return Error(Code::kCorrupt, std::string(key) + " must hold token ids");
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Result<json> parse_object(const std::string& text, const char* name) {
  QT_TRY(json object, io::parse_json(text, name));
  if (!object.is_object()) return Error(Code::kCorrupt, std::string(name) + ": is not an object");
  return object;
}

const char* rope_type(RopeScaling::Kind kind) {
  switch (kind) {
    case RopeScaling::Kind::kNone: return "default";
    case RopeScaling::Kind::kLinear: return "linear";
    case RopeScaling::Kind::kLlama3: return "llama3";
  }
  return "";
}

json rope_to_json(double theta, const RopeScaling& scaling) {
  return {{"rope_theta", theta},
          {"rope_type", rope_type(scaling.kind)},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_frequency},
          {"high_freq_factor", scaling.high_frequency},
          {"original_max_position_embeddings", scaling.original_positions}};
}

std::string number_text(double value) { return json(value).dump(); }

Result<void> check_positive(const char* name, double value) {
  if (value > 0 && std::isfinite(value)) return {};
  return Error(Code::kCorrupt,
               std::string(name) + " is " + number_text(value) + ", expected a positive number");
}

Result<void> check_rope(double theta, const RopeScaling& rope, int64_t head_dim) {
  QT_TRY_VOID(check_positive("rope_theta", theta));
  QT_TRY_VOID(check_positive("factor of rope_scaling", rope.factor));
  QT_TRY_VOID(check_positive("low_freq_factor", rope.low_frequency));
  QT_TRY_VOID(check_positive("high_freq_factor", rope.high_frequency));
  QT_TRY_VOID(check_positive("original_max_position_embeddings", rope.original_positions));
  if (rope.kind == RopeScaling::Kind::kLlama3 && !(rope.high_frequency > rope.low_frequency)) {
    return Error(Code::kCorrupt, "high_freq_factor must be larger than low_freq_factor");
  }
  for (const float divisor : rope.divisors) {
    QT_TRY_VOID(check_positive("a factor of a rotary frequency", static_cast<double>(divisor)));
  }
  if (!rope.divisors.empty() && std::ssize(rope.divisors) != head_dim / 2) {
    return Error(Code::kCorrupt, "there are " + std::to_string(rope.divisors.size()) +
                                     " rope factors for heads of " + std::to_string(head_dim));
  }
  return {};
}

Result<Config> read_config(const json& object) {
  QT_TRY(const std::string type, io::string_field(object, "model_type"));
  const Family* family = find_family(type);
  if (family == nullptr) {
    return unsupported("model_type " + io::in_quotes(type) + " is not built; known are " +
                       known_families());
  }
  Config config;
  QT_TRY(config.d_model, io::int_field(object, "hidden_size"));
  QT_TRY(config.layers, io::int_field(object, "num_hidden_layers"));
  QT_TRY(config.heads, io::int_field(object, "num_attention_heads"));
  QT_TRY(config.kv_heads, io::int_field(object, "num_key_value_heads", config.heads));
  if (config.heads < 1 || config.layers < 1 || config.layers > 1024) {
    return Error(Code::kCorrupt, "num_attention_heads and num_hidden_layers must be from 1 on");
  }
  QT_TRY(config.head_dim, io::int_field(object, "head_dim", config.d_model / config.heads));
  QT_TRY(config.ffn, io::int_field(object, "intermediate_size"));
  QT_TRY(config.vocabulary, io::int_field(object, "vocab_size"));
  QT_TRY(config.max_positions, io::int_field(object, "max_position_embeddings"));
  QT_TRY_VOID(read_rules(object, *family, config));
  QT_TRY_VOID(read_rope(object, config));
  QT_TRY_VOID(read_windows(object, *family, config));
  QT_TRY_VOID(read_rope_divisors(object, config));
  apply_family(*family, config);
  QT_TRY_VOID(check_config(config));
  return config;
}

Result<void> check_range(const char* name, double value, double least, double most) {
  if (value >= least && value <= most) return {};
  return Error(Code::kCorrupt, std::string(name) + " is " + number_text(value) + ", expected " +
                                   number_text(least) + " to " + number_text(most));
}

Result<void> check_generation(const GenerationConfig& g) {
  QT_TRY_VOID(check_range("temperature", static_cast<double>(g.temperature), 0, 1000));
  QT_TRY_VOID(check_range("top_k", static_cast<double>(g.top_k), -1, 1e9));
  QT_TRY_VOID(check_range("top_p", static_cast<double>(g.top_p), 0, 1));
  return check_range("repetition_penalty", static_cast<double>(g.repetition_penalty), 1e-3, 1000);
}

}  // namespace

Result<void> check_config(const Config& config) {
  for (const Field& field : kFields) {
    const int64_t value = config.*field.member;
    const int64_t least = field.member == &Config::sliding_window ? 0 : 1;
    if (value < least || value > field.max) {
      return Error(Code::kCorrupt, std::string(field.key) + " is " + std::to_string(value) +
                                       ", expected " + std::to_string(least) + " to " +
                                       std::to_string(field.max));
    }
  }
  if (config.heads % config.kv_heads != 0 || config.heads / config.kv_heads > 64) {
    return Error(Code::kCorrupt, "num_attention_heads " + std::to_string(config.heads) +
                                     " is no multiple up to 64 times of num_key_value_heads " +
                                     std::to_string(config.kv_heads));
  }
  if (config.head_dim % 2 != 0) {
    return Error(Code::kCorrupt, "head_dim " + std::to_string(config.head_dim) + " is odd");
  }
  if (!config.sliding.empty() && std::ssize(config.sliding) != config.layers) {
    return Error(Code::kCorrupt, "there are " + std::to_string(config.sliding.size()) +
                                     " kinds of layers for " + std::to_string(config.layers));
  }
  QT_TRY_VOID(check_positive("rms_norm_eps", static_cast<double>(config.norm_eps)));
  QT_TRY_VOID(check_positive("the scale of queries", static_cast<double>(config.query_scale)));
  QT_TRY_VOID(check_rope(config.rope_theta, config.rope_scaling, config.head_dim));
  return check_rope(config.sliding_rope_theta, config.sliding_rope_scaling, config.head_dim);
}

Result<Config> config_from_json(const std::string& config_json) {
  QT_TRY(const json object, parse_object(config_json, "config.json"));
  return read_config(object).with("config.json");
}

Result<GenerationConfig> generation_from_json(const std::string& config_json,
                                              const std::string& generation_json) {
  QT_TRY(json object, parse_object(config_json, "config.json"));
  if (!generation_json.empty()) {
    QT_TRY(const json generation, parse_object(generation_json, "generation_config.json"));
    object.update(generation);
  }
  GenerationConfig g;
  QT_TRY(g.end_tokens, token_ids(object, "eos_token_id"));
  QT_TRY(const std::vector<int32_t> begin, token_ids(object, "bos_token_id"));
  if (!begin.empty()) g.begin_token = begin[0];
  QT_TRY(g.sample, io::bool_field(object, "do_sample", false));
  QT_TRY(const double temperature, io::number_field(object, "temperature", 1.0));
  QT_TRY(g.top_k, io::int_field(object, "top_k", 0));
  QT_TRY(const double top_p, io::number_field(object, "top_p", 1.0));
  QT_TRY(const double penalty, io::number_field(object, "repetition_penalty", 1.0));
  g.temperature = static_cast<float>(temperature);
  g.top_p = static_cast<float>(top_p);
  g.repetition_penalty = static_cast<float>(penalty);
  QT_TRY_VOID(check_generation(g));
  return g;
}

std::string config_to_json(const Config& c) {
  json object = {
      {"model_type", c.family},
      {"hidden_size", c.d_model},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_dim},
      {"intermediate_size", c.ffn},
      {"vocab_size", c.vocabulary},
      {"max_position_embeddings", c.max_positions},
      {"rms_norm_eps", c.norm_eps},
      {"tie_word_embeddings", c.tied_embeddings},
      {"attention_bias", c.qkv_bias},
      {"attention_out_bias", c.out_bias},
      {"mlp_bias", c.mlp_bias},
      {"query_pre_attn_scalar", 1 / std::pow(static_cast<double>(c.query_scale), 2)},
      {"rope_parameters",
       {{"full_attention", rope_to_json(c.rope_theta, c.rope_scaling)},
        {"sliding_attention", rope_to_json(c.sliding_rope_theta, c.sliding_rope_scaling)}}}};
  if (!c.rope_scaling.divisors.empty()) object["rope_divisors"] = c.rope_scaling.divisors;
  if (c.sliding_window != 0) {
    object["sliding_window"] = c.sliding_window;
    object["use_sliding_window"] = true;
    for (const bool sliding : c.sliding) {
      object["layer_types"].push_back(sliding ? "sliding_attention" : "full_attention");
    }
  }
  return object.dump();
}

std::string generation_to_json(const GenerationConfig& g) {
  json object = {{"eos_token_id", g.end_tokens},
                 {"do_sample", g.sample},
                 {"temperature", g.temperature},
                 {"top_k", g.top_k},
                 {"top_p", g.top_p},
                 {"repetition_penalty", g.repetition_penalty}};
  if (g.begin_token >= 0) object["bos_token_id"] = g.begin_token;
  return object.dump();
}

}  // namespace quintet::language
