#include "quintet/engine/models/whisper/config.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "quintet/io/formats/json.h"

namespace quintet::whisper {
namespace {

using nlohmann::json;

// Believable values: an absurd configuration must fail before memory is asked for. A prompt alone
// needs up to 8 positions.
struct Field {
  const char* key;  // In a Hugging Face config.json.
  int64_t Config::*member;
  int64_t max;
  int64_t min = 1;
};
constexpr std::array<Field, 11> kFields = {{
    {"num_mel_bins", &Config::mel_bins, 256},
    {"d_model", &Config::d_model, 16384},
    {"encoder_layers", &Config::encoder_layers, 256},
    {"encoder_attention_heads", &Config::encoder_heads, 256},
    {"encoder_ffn_dim", &Config::encoder_ffn, 32768},
    {"decoder_layers", &Config::decoder_layers, 256},
    {"decoder_attention_heads", &Config::decoder_heads, 256},
    {"decoder_ffn_dim", &Config::decoder_ffn, 32768},
    {"vocab_size", &Config::vocabulary, 1'000'000},
    {"max_source_positions", &Config::audio_positions, 4096},
    {"max_target_positions", &Config::text_positions, 4096, 16},
}};

Result<void> check_config(const Config& config) {
  for (const Field& field : kFields) {
    const int64_t value = config.*field.member;
    if (value < field.min || value > field.max) {
      return Error(Code::kCorrupt, std::string(field.key) + " is " + std::to_string(value) +
                                       ", expected " + std::to_string(field.min) + " to " +
                                       std::to_string(field.max));
    }
  }
  for (const int64_t heads : {config.encoder_heads, config.decoder_heads}) {
    if (config.d_model % heads != 0) {
      return Error(Code::kCorrupt, "d_model " + std::to_string(config.d_model) +
                                       " is not a multiple of the " + std::to_string(heads) +
                                       " attention heads");
    }
  }
  return {};
}

Result<std::vector<int32_t>> token_list(const json& object, const char* key) {
  QT_TRY(const std::vector<int64_t> values, io::int_list_field(object, key, {}));
  std::vector<int32_t> tokens;
  for (const int64_t value : values) {
    // Hugging Face writes [-1] for "none".
    if (value < 0) continue;
    if (value > std::numeric_limits<int32_t>::max()) {
      return Error(Code::kCorrupt,
                   std::string(key) + " holds " + std::to_string(value) + ", which is no token");
    }
    tokens.push_back(static_cast<int32_t>(value));
  }
  return tokens;
}

Result<std::vector<AlignmentHead>> alignment_heads(const json& object) {
  std::vector<AlignmentHead> heads;
  const auto found = object.find("alignment_heads");
  if (found == object.end() || found->is_null()) return heads;
  const Error wrong(Code::kCorrupt, "alignment_heads is not a list of [layer, head] pairs");
  if (!found->is_array()) return wrong;
  for (const json& pair : *found) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() ||
        !pair[1].is_number_integer()) {
      return wrong;
    }
    heads.push_back({pair[0].get<int64_t>(), pair[1].get<int64_t>()});
  }
  return heads;
}

Result<json> parse_object(const std::string& text, const char* name) {
  QT_TRY(json object, io::parse_json(text, name));
  if (!object.is_object()) return Error(Code::kCorrupt, std::string(name) + ": is not an object");
  return object;
}

Result<int64_t> ct2_dimension(const io::WeightFile& weights, const std::string& name, size_t axis) {
  const TensorRef* tensor = weights.find(name);
  if (tensor == nullptr || tensor->shape.size() <= axis) {
    return Error(Code::kCorrupt, "tensor " + name + " is missing or has too few dimensions");
  }
  return tensor->shape[axis];
}

Result<int64_t> ct2_scalar(const io::WeightFile& weights, const std::string& name) {
  const TensorRef* tensor = weights.find(name);
  if (tensor == nullptr) return Error(Code::kCorrupt, "tensor " + name + " is missing");
  return io::scalar_int(*tensor).with("tensor " + name);
}

int64_t count_ct2_layers(const io::WeightFile& weights, const std::string& side) {
  int64_t count = 0;
  while (weights.find(side + "/layer_" + std::to_string(count) + "/ffn/linear_0/weight") !=
         nullptr) {
    ++count;
  }
  return count;
}

}  // namespace

Result<Config> config_from_json(const std::string& config_json) {
  QT_TRY(const json object, parse_object(config_json, "config.json"));
  const auto fields = [&]() -> Result<Config> {
    QT_TRY(const std::string type, io::string_field(object, "model_type"));
    if (type != "whisper") {
      return Error(Code::kUnsupported, "model_type is \"" + type + "\", expected \"whisper\"");
    }
    QT_TRY(const std::string activation, io::string_field(object, "activation_function", "gelu"));
    QT_TRY(const bool scaled, io::bool_field(object, "scale_embedding", false));
    if (activation != "gelu" || scaled) {
      return Error(Code::kUnsupported,
                   "activation_function must be \"gelu\" and scale_embedding false");
    }
    Config config;
    for (const Field& field : kFields) {
      QT_TRY(config.*field.member, io::int_field(object, field.key));
    }
    QT_TRY_VOID(check_config(config));
    return config;
  };
  return fields().with("config.json");
}

Result<GenerationConfig> generation_from_json(const std::string& config_json,
                                              const std::string& generation_json) {
  GenerationConfig generation;
  QT_TRY(json object, parse_object(config_json, "config.json"));
  if (!generation_json.empty()) {
    QT_TRY(const json later, parse_object(generation_json, "generation_config.json"));
    object.update(later);
  }
  QT_TRY(generation.suppress, token_list(object, "suppress_tokens"));
  QT_TRY(generation.suppress_begin, token_list(object, "begin_suppress_tokens"));
  QT_TRY(generation.alignment_heads, alignment_heads(object));
  if (object.contains("is_multilingual")) {
    QT_TRY(const bool multilingual, io::bool_field(object, "is_multilingual"));
    generation.multilingual = multilingual;
  }
  return generation;
}

Result<Config> config_from_ct2(const io::WeightFile& weights) {
  if (const auto spec = weights.metadata.find("spec_name");
      spec == weights.metadata.end() || spec->second != "WhisperSpec") {
    return Error(Code::kUnsupported,
                 "the model is a " +
                     (spec == weights.metadata.end() ? std::string("?") : spec->second) +
                     ", expected a WhisperSpec");
  }
  Config config;
  QT_TRY(config.mel_bins, ct2_dimension(weights, "encoder/conv1/weight", 1));
  QT_TRY(config.d_model, ct2_dimension(weights, "encoder/conv1/weight", 0));
  config.encoder_layers = count_ct2_layers(weights, "encoder");
  config.decoder_layers = count_ct2_layers(weights, "decoder");
  QT_TRY(config.encoder_heads, ct2_scalar(weights, "encoder/num_heads"));
  QT_TRY(config.decoder_heads, ct2_scalar(weights, "decoder/num_heads"));
  QT_TRY(config.encoder_ffn, ct2_dimension(weights, "encoder/layer_0/ffn/linear_0/weight", 0));
  QT_TRY(config.decoder_ffn, ct2_dimension(weights, "decoder/layer_0/ffn/linear_0/weight", 0));
  QT_TRY(config.vocabulary, ct2_dimension(weights, "decoder/embeddings/weight", 0));
  QT_TRY(config.audio_positions, ct2_dimension(weights, "encoder/position_encodings/encodings", 0));
  QT_TRY(config.text_positions, ct2_dimension(weights, "decoder/position_encodings/encodings", 0));
  QT_TRY_VOID(check_config(config));
  return config;
}

Result<GenerationConfig> generation_from_ct2(const std::string& config_json) {
  GenerationConfig generation;
  QT_TRY(const json object, parse_object(config_json, "config.json"));
  QT_TRY(generation.suppress, token_list(object, "suppress_ids"));
  QT_TRY(generation.suppress_begin, token_list(object, "suppress_ids_begin"));
  QT_TRY(generation.alignment_heads, alignment_heads(object));
  return generation;
}

std::string config_to_json(const Config& config) {
  json object = {{"model_type", "whisper"},
                 {"architectures", {"WhisperForConditionalGeneration"}},
                 {"activation_function", "gelu"},
                 {"scale_embedding", false},
                 {"tie_word_embeddings", true}};
  for (const Field& field : kFields) object[field.key] = config.*field.member;
  return object.dump(2);
}

std::string generation_to_json(const GenerationConfig& generation) {
  json object = {{"suppress_tokens", generation.suppress},
                 {"begin_suppress_tokens", generation.suppress_begin},
                 {"alignment_heads", json::array()}};
  for (const AlignmentHead& head : generation.alignment_heads) {
    object["alignment_heads"].push_back({head.layer, head.head});
  }
  if (generation.multilingual) object["is_multilingual"] = *generation.multilingual;
  return object.dump(2);
}

}  // namespace quintet::whisper
