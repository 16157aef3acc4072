// A model gives the same logits from a GGUF file as from its Hugging Face folder. The files are
// written here as llama.cpp's converter writes them, with names of their own: not those of
// layers.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/models/language/test_model.h"
#include "quintet/io/formats/gguf_testing.h"
#include "quintet/io/formats/json.h"

namespace quintet::language {
namespace {

using io::GgufType;
using io::testing::GgufBuilder;
using nlohmann::json;

const std::map<std::string, std::string> kArchitectures = {
    {"llama", "llama"}, {"mistral", "llama"},      {"qwen2", "qwen2"},
    {"qwen3", "qwen3"}, {"gemma3_text", "gemma3"}, {"phi3", "phi3"}};

// What stands in front of ".weight" and ".bias", behind the number of the layer.
const std::map<std::string, std::string> kNames = {{"model.embed_tokens", "token_embd"},
                                                   {"model.norm", "output_norm"},
                                                   {"lm_head", "output"},
                                                   {"input_layernorm", "attn_norm"},
                                                   {"self_attn.q_proj", "attn_q"},
                                                   {"self_attn.k_proj", "attn_k"},
                                                   {"self_attn.v_proj", "attn_v"},
                                                   {"self_attn.qkv_proj", "attn_qkv"},
                                                   {"self_attn.o_proj", "attn_output"},
                                                   {"self_attn.q_norm", "attn_q_norm"},
                                                   {"self_attn.k_norm", "attn_k_norm"},
                                                   {"mlp.gate_proj", "ffn_gate"},
                                                   {"mlp.up_proj", "ffn_up"},
                                                   {"mlp.gate_up_proj", "ffn_up"},
                                                   {"mlp.down_proj", "ffn_down"},
                                                   {"pre_feedforward_layernorm", "ffn_norm"},
                                                   {"post_feedforward_layernorm", "post_ffw_norm"}};

// "model.layers.2.mlp.down_proj.weight" -> "blk.2.ffn_down.weight"
std::string gguf_name(const std::string& name, bool gemma) {
  const size_t dot = name.rfind('.');
  std::string stem = name.substr(0, dot);
  std::string block;
  if (const std::string layers = "model.layers."; stem.starts_with(layers)) {
    const size_t end = stem.find('.', layers.size());
    block = "blk." + stem.substr(layers.size(), end - layers.size()) + ".";
    stem = stem.substr(end + 1);
  }
  if (stem == "post_attention_layernorm") {
    return block + (gemma ? "post_attention_norm" : "ffn_norm") + name.substr(dot);
  }
  return block + kNames.at(stem) + name.substr(dot);
}

// The two halves of each head, row by row in turn.
std::vector<float> interleaved(const std::vector<float>& rows, int64_t heads, int64_t head_dim) {
  const auto half = static_cast<size_t>(head_dim / 2);
  const size_t columns = rows.size() / static_cast<size_t>(heads * head_dim);
  std::vector<float> out;
  for (size_t head = 0; head < static_cast<size_t>(heads); ++head) {
    for (size_t i = 0; i < half; ++i) {
      for (const size_t row : {(2 * head) * half + i, (2 * head + 1) * half + i}) {
        const auto from = rows.begin() + static_cast<ptrdiff_t>(row * columns);
        out.insert(out.end(), from, from + static_cast<ptrdiff_t>(columns));
      }
    }
  }
  return out;
}

class GgufWriter {
 public:
  explicit GgufWriter(const std::filesystem::path& folder)
      : config_(io::read_json_file(folder / "config.json").value()),
        source_(io::read_weights(folder / "model.safetensors").value()),
        type_(config_["model_type"]),
        architecture_(kArchitectures.at(type_)) {
    heads_ = config_["num_attention_heads"];
    kv_heads_ = config_["num_key_value_heads"];
    head_dim_ = config_.value("head_dim", config_["hidden_size"].get<int64_t>() / heads_);
  }

  void write(const std::filesystem::path& file) {
    add_keys();
    add_rope();
    add_windows();
    for (const auto& [name, tensor] : source_.tensors) {
      add(gguf_name(name, architecture_ == "gemma3"), tensor.shape, values_of(name, tensor));
    }
    std::ofstream(file, std::ios::binary) << builder_.file(data_);
  }

 private:
  std::string key(const std::string& name) const { return architecture_ + "." + name; }
  void number(const std::string& name, const json& value) {
    builder_.u32(key(name), value.get<uint32_t>());
  }
  void real(const std::string& name, const json& value) {
    builder_.scalar(key(name), GgufType::kF32, value.get<float>());
  }

  void add_keys() {
    builder_.text("general.architecture", architecture_);
    number("embedding_length", config_["hidden_size"]);
    number("block_count", config_["num_hidden_layers"]);
    number("attention.head_count", heads_);
    number("attention.head_count_kv", kv_heads_);
    number("attention.key_length", head_dim_);
    number("attention.value_length", head_dim_);
    number("feed_forward_length", config_["intermediate_size"]);
    number("context_length", config_["max_position_embeddings"]);
    real("attention.layer_norm_rms_epsilon", config_["rms_norm_eps"]);
    builder_.u32("tokenizer.ggml.eos_token_id", 2);
  }

  void add_rope() {
    const json& parameters = config_["rope_parameters"];
    const json& rope =
        parameters.contains("full_attention") ? parameters["full_attention"] : parameters;
    real("rope.freq_base", rope["rope_theta"]);
    number("rope.dimension_count", head_dim_);
    if (rope["rope_type"] == "llama3") add("rope_freqs.weight", {head_dim_ / 2}, factors(rope));
    if (parameters.contains("sliding_attention")) {
      real("rope.freq_base_swa", parameters["sliding_attention"]["rope_theta"]);
    }
  }

  // What the converter makes of Llama 3's scaling.
  std::vector<float> factors(const json& rope) const {
    const double low = rope["low_freq_factor"];
    const double high = rope["high_freq_factor"];
    const double original = rope["original_max_position_embeddings"];
    const double factor = rope["factor"];
    std::vector<float> factors;
    for (int64_t i = 0; i < head_dim_; i += 2) {
      const double turns = original / (2 * std::numbers::pi) *
                           std::pow(rope["rope_theta"].get<double>(),
                                    -static_cast<double>(i) / static_cast<double>(head_dim_));
      const double share = std::clamp((turns - low) / (high - low), 0.0, 1.0);
      factors.push_back(static_cast<float>(1 / ((1 - share) / factor + share)));
    }
    return factors;
  }

  void add_windows() {
    if (!config_.contains("sliding_window") || config_["sliding_window"].is_null()) return;
    number("attention.sliding_window", config_["sliding_window"]);
    if (!config_.contains("layer_types")) return;
    std::vector<uint8_t> sliding;
    for (const json& type : config_["layer_types"]) sliding.push_back(type == "sliding_attention");
    builder_.list(key("attention.sliding_window_pattern"), GgufType::kBool, sliding);
  }

  std::vector<float> values_of(const std::string& name, const TensorRef& tensor) const {
    std::vector<float> values = io::to_f32(tensor).value();
    if (architecture_ == "gemma3" && name.ends_with("norm.weight")) {
      for (float& value : values) value += 1;
    }
    if (architecture_ != "llama") return values;
    if (name.find(".q_proj.") != std::string::npos) return interleaved(values, heads_, head_dim_);
    if (name.find(".k_proj.") != std::string::npos) {
      return interleaved(values, kv_heads_, head_dim_);
    }
    return values;
  }

  void add(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    constexpr uint32_t kF32 = 0;
    const auto dimension = [&](size_t i) { return static_cast<uint64_t>(shape[i]); };
    if (shape.size() == 1) {
      builder_.tensor(name, {dimension(0)}, kF32, data_.size());
    } else {
      builder_.tensor(name, {dimension(1), dimension(0)}, kF32, data_.size());
    }
    data_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    data_.resize((data_.size() + 31) / 32 * 32, '\0');
  }

  json config_;
  io::WeightFile source_;
  std::string type_;
  std::string architecture_;
  int64_t heads_ = 0;
  int64_t kv_heads_ = 0;
  int64_t head_dim_ = 0;
  GgufBuilder builder_;
  std::string data_;
};

class GgufModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, GgufModel, testing::ValuesIn(kTinyModels), name_of_tiny_model);

TEST_P(GgufModel, GivesTheLogitsOfTheHuggingFaceFolder) {
  const io::testing::TemporaryFolder folder;
  GgufWriter(tiny_model(GetParam())).write(folder / "model.gguf");
  ThreadPool pool(2);
  const auto expected = load_model(tiny_model(GetParam()), Precision::kF32, pool);
  const auto found = load_model(folder / "model.gguf", Precision::kF32, pool);
  ASSERT_TRUE(expected) << expected.error().message();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ((*found)->source_format, "gguf");
  EXPECT_EQ((*found)->generation.end_tokens, (*expected)->generation.end_tokens);
  EXPECT_LT(relative_error(logits_of(**found, pool), logits_of(**expected, pool)), 1e-5);
}

}  // namespace
}  // namespace quintet::language
