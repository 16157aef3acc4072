#include "quintet/engine/models/language/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/models/language/test_model.h"

namespace quintet::language {
namespace {

using nlohmann::json;

std::string config_text(const char* name) {
  return read_file(tiny_model(name) / "config.json", 1 << 20).value();
}

json config_object(const char* name) { return json::parse(config_text(name)); }

Config parsed(const json& object) {
  const auto config = config_from_json(object.dump());
  EXPECT_TRUE(config) << (config ? "" : config.error().message());
  return config ? *config : Config();
}

class TinyConfig : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, TinyConfig, testing::ValuesIn(kTinyModels), name_of_tiny_model);

TEST_P(TinyConfig, IsTheSameAfterARoundTrip) {
  const Config config = parsed(config_object(GetParam()));
  const auto again = config_from_json(config_to_json(config));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, config);
}

TEST_P(TinyConfig, KeepsWhatOnlyGgufFilesSayOverARoundTrip) {
  Config config = parsed(config_object(GetParam()));
  config.rope_scaling.divisors.assign(static_cast<size_t>(config.head_dim / 2), 1.25f);
  config.out_bias = true;
  const auto again = config_from_json(config_to_json(config));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, config);
}

TEST(LanguageConfig, ScalesTheAnglesOfSlidingLayersUnlessTheyHaveTheirOwn) {
  json object = config_object("mistral");
  object["rope_parameters"] = {{"rope_type", "linear"}, {"rope_theta", 5000.0}, {"factor", 4.0}};
  const Config mistral = parsed(object);
  EXPECT_EQ(mistral.sliding_rope_theta, 5000);
  EXPECT_EQ(mistral.sliding_rope_scaling, mistral.rope_scaling);
  EXPECT_EQ(mistral.rope_scaling.factor, 4);

  object = config_object("gemma3-text");
  object.erase("rope_parameters");
  object.update({{"rope_theta", 1e6}, {"rope_local_base_freq", 1e4}});
  object["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  const Config gemma = parsed(object);
  EXPECT_EQ(gemma.sliding_rope_theta, 1e4);
  EXPECT_EQ(gemma.sliding_rope_scaling, RopeScaling());
  EXPECT_EQ(gemma.rope_scaling.factor, 8);
}

TEST(LanguageConfig, KnowsWhichLayersHaveAWindow) {
  const auto sliding = [](const char* name, const json& changes) {
    json object = config_object(name);
    object.erase("layer_types");
    object.update(changes);
    return parsed(object).sliding;
  };
  using Layers = std::vector<bool>;
  EXPECT_EQ(sliding("mistral", json::object()), Layers({true, true, true}));
  EXPECT_EQ(sliding("mistral", {{"sliding_window", nullptr}}), Layers());
  EXPECT_EQ(sliding("qwen2", {{"sliding_window", 8}, {"max_window_layers", 1}}), Layers());
  EXPECT_EQ(
      sliding("qwen2",
              {{"sliding_window", 8}, {"max_window_layers", 1}, {"use_sliding_window", true}}),
      Layers({false, true, true}));
  EXPECT_EQ(sliding("gemma3-text", {{"_sliding_window_pattern", 2}}), Layers({true, false, true}));
}

struct Broken {
  const char* key;
  const char* value;
  const char* named = nullptr;  // In the message, where that is not the key.
};

constexpr Broken kBroken[] = {
    {"model_type", "\"gpt_neo\""},
    {"model_type", "5"},
    {"num_attention_heads", "3"},
    {"num_key_value_heads", "3"},
    {"num_key_value_heads", "8"},
    {"head_dim", "15"},
    {"sliding_window", "-1"},
    {"rms_norm_eps", "-1"},
    {"rms_norm_eps", "0"},
    {"rms_norm_eps", "1e300"},
    {"query_pre_attn_scalar", "0", "scale of queries"},
    {"query_pre_attn_scalar", "-4", "scale of queries"},
    {"attn_logit_softcapping", "50.0"},
    {"hidden_act", "\"relu\""},
    {"attention_bias", "\"yes\""},
    {"tie_word_embeddings", "2"},
    {"partial_rotary_factor", "0.5"},
    {"rope_parameters", "\"default\""},
    {"rope_parameters", R"({"rope_type": "yarn"})", "yarn"},
    {"rope_parameters", R"({"rope_type": "linear"})", "factor"},
    {"rope_parameters", R"({"rope_type": "linear", "factor": 0})", "factor"},
    {"rope_parameters", R"({"rope_theta": -1.0})", "rope_theta"},
    {"rope_parameters",
     R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1,
         "original_max_position_embeddings": 64})",
     "high_freq_factor"},
    {"rope_divisors", "[1, 2]", "rope factors"},
    {"rope_divisors", "[1, 1, 1, 1, 1, 1, 1, -1]", "rotary frequency"},
    {"rope_divisors", "\"none\""},
};

void expect_refused(const json& object, const std::string& named) {
  const auto config = config_from_json(object.dump());
  ASSERT_FALSE(config) << named;
  EXPECT_NE(config.error().message().find(named), std::string::npos) << config.error().message();
  EXPECT_EQ(config.error().message().find('\n'), std::string::npos);
}

TEST(LanguageConfig, NamesTheKeyThatIsWrong) {
  for (const Broken& broken : kBroken) {
    json object = config_object("llama");
    object[broken.key] = json::parse(broken.value);
    expect_refused(object, broken.named == nullptr ? broken.key : broken.named);
  }
}

TEST(LanguageConfig, RefusesSizesThatAreNone) {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "head_dim", "intermediate_size", "vocab_size", "max_position_embeddings"}) {
    for (const json& value : std::vector<json>{0, -1, int64_t{1} << 31, uint64_t{1} << 63, 1e30,
                                               1.5, "64", json::array(), true}) {
      json object = config_object("llama");
      object[key] = value;
      expect_refused(object, key);
    }
  }
}

TEST(LanguageConfig, RefusesLayerTypesThatAreNone) {
  json object = config_object("mistral");
  for (const char* types : {"[]", R"(["full_attention"])", "[1, 2, 3]", "\"full_attention\"",
                            R"(["full_attention", "full_attention", "linear_attention"])"}) {
    object["layer_types"] = json::parse(types);
    expect_refused(object, "layer_types");
  }
}

TEST(LanguageConfig, NamesTheTextThatIsNoObject) {
  for (const char* text : {"", "[]", "null", "1", "{\"hidden_size\": NaN}", "{\"a\": 1e999}"}) {
    const auto config = config_from_json(text);
    ASSERT_FALSE(config) << text;
    EXPECT_TRUE(config.error().message().starts_with("config.json")) << config.error().message();
  }
}

TEST(LanguageConfig, TakesEndTokensAsANumberOrAList) {
  EXPECT_EQ(generation_from_json(R"({"eos_token_id": 7})", "").value().end_tokens,
            std::vector<int32_t>({7}));
  EXPECT_EQ(generation_from_json("{}", R"({"eos_token_id": [7, 9]})").value().end_tokens,
            std::vector<int32_t>({7, 9}));
  for (const char* ids : {"-1", "\"a\"", "[[1]]", "1e9", "18446744073709551615", "{}"}) {
    EXPECT_FALSE(generation_from_json("{\"eos_token_id\": " + std::string(ids) + "}", "")) << ids;
  }
}

}  // namespace
}  // namespace quintet::language
