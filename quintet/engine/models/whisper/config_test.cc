#include "quintet/engine/models/whisper/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "quintet/engine/models/whisper/test_model.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::whisper {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using testing::describe_ct2;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

json tiny() { return json::parse(testing::tiny_file("config.json")); }

constexpr std::array kSizes = {"num_mel_bins",
                               "d_model",
                               "encoder_layers",
                               "encoder_attention_heads",
                               "encoder_ffn_dim",
                               "decoder_layers",
                               "decoder_attention_heads",
                               "decoder_ffn_dim",
                               "vocab_size",
                               "max_source_positions",
                               "max_target_positions"};

// The error with `key` set to `value`, or removed where it is discarded.
Error error_with(const char* key, const json& value) {
  json config = tiny();
  if (value.is_discarded()) {
    config.erase(key);
  } else {
    config[key] = value;
  }
  const auto result = config_from_json(config.dump());
  EXPECT_FALSE(result) << key << " " << value;
  if (result) return {Code::kInternal, ""};
  EXPECT_THAT(result.error().message(), AllOf(HasSubstr("config.json: "), Not(HasSubstr("\n"))));
  return result.error();
}

TEST(ConfigFromJson, ReadsEverySize) {
  const auto config = config_from_json(tiny().dump());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->mel_bins, 80);
  EXPECT_EQ(config->d_model, 64);
  EXPECT_EQ(config->encoder_layers, 2);
  EXPECT_EQ(config->encoder_heads, 4);
  EXPECT_EQ(config->encoder_ffn, 128);
  EXPECT_EQ(config->decoder_layers, 2);
  EXPECT_EQ(config->decoder_heads, 4);
  EXPECT_EQ(config->decoder_ffn, 128);
  EXPECT_EQ(config->vocabulary, 512);
  EXPECT_EQ(config->audio_positions, 150);
  EXPECT_EQ(config->text_positions, 64);
  EXPECT_EQ(config->mel_frames(), 300);
}

TEST(ConfigFromJson, NamesTheKeyThatIsMissingOrOfAnotherType) {
  for (const char* key : kSizes) {
    for (const json& value : {json(json::value_t::discarded), json(nullptr), json("64"), json(64.5),
                              json(json::array({64})), json(1e300)}) {
      const Error error = error_with(key, value);
      EXPECT_EQ(error.code(), Code::kCorrupt) << key;
      EXPECT_THAT(error.message(), HasSubstr(key));
    }
  }
}

TEST(ConfigFromJson, RefusesSizesThatNoModelHas) {
  for (const char* key : kSizes) {
    for (const int64_t value : {int64_t{0}, int64_t{-4}, int64_t{1} << 40, INT64_MAX, INT64_MIN}) {
      const Error error = error_with(key, value);
      EXPECT_EQ(error.code(), Code::kCorrupt) << key;
      EXPECT_THAT(error.message(),
                  AllOf(HasSubstr(key), HasSubstr(std::to_string(value)), HasSubstr("expected 1")));
    }
  }
}

TEST(ConfigFromJson, APromptMustFitIntoTheTextPositions) {
  EXPECT_THAT(error_with("max_target_positions", 4).message(),
              HasSubstr("max_target_positions is 4, expected 16 to 4096"));
}

TEST(ConfigFromJson, HeadsMustDivideTheModelsWidth) {
  for (const char* key : {"encoder_attention_heads", "decoder_attention_heads"}) {
    EXPECT_THAT(error_with(key, 5).message(), HasSubstr("d_model 64 is not a multiple of the 5"));
  }
}

TEST(ConfigFromJson, RefusesOtherModelsAndOtherComputations) {
  EXPECT_EQ(error_with("model_type", "llama").code(), Code::kUnsupported);
  EXPECT_THAT(error_with("model_type", "llama").message(), HasSubstr("\"llama\", expected"));
  EXPECT_EQ(error_with("model_type", 3).code(), Code::kCorrupt);
  EXPECT_EQ(error_with("activation_function", "relu").code(), Code::kUnsupported);
  EXPECT_EQ(error_with("scale_embedding", true).code(), Code::kUnsupported);
  EXPECT_EQ(error_with("scale_embedding", "no").code(), Code::kCorrupt);
}

TEST(ConfigFromJson, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "null", "3", "{", "\xff"}) {
    const auto result = config_from_json(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code(), Code::kCorrupt);
    EXPECT_THAT(result.error().message(), HasSubstr("config.json"));
  }
}

TEST(ConfigFromJson, ReadsBackWhatIsWritten) {
  const Config config = *config_from_json(tiny().dump());
  const auto again = config_from_json(config_to_json(config));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(config_to_json(*again), config_to_json(config));
}

TEST(GenerationFromJson, LaterFileWinsAndNegativeTokensMeanNone) {
  const auto generation =
      generation_from_json(R"({"suppress_tokens": [1, 2], "begin_suppress_tokens": [220, 50257]})",
                           R"({"suppress_tokens": [-1, 7], "alignment_heads": [[3, 1], [4, 2]],
          "is_multilingual": false})");
  ASSERT_TRUE(generation) << generation.error().message();
  EXPECT_THAT(generation->suppress, ElementsAre(7));
  EXPECT_THAT(generation->suppress_begin, ElementsAre(220, 50257));
  ASSERT_EQ(generation->alignment_heads.size(), 2u);
  EXPECT_EQ(generation->alignment_heads[1].layer, 4);
  EXPECT_EQ(generation->alignment_heads[1].head, 2);
  EXPECT_EQ(generation->multilingual, false);
}

TEST(GenerationFromJson, EverythingMayBeAbsentOrNull) {
  for (const char* config : {"{}", R"({"suppress_tokens": null, "alignment_heads": null,
                                       "begin_suppress_tokens": null})"}) {
    const auto generation = generation_from_json(config, "");
    ASSERT_TRUE(generation) << generation.error().message();
    EXPECT_THAT(generation->suppress, IsEmpty());
    EXPECT_THAT(generation->suppress_begin, IsEmpty());
    EXPECT_THAT(generation->alignment_heads, IsEmpty());
    EXPECT_FALSE(generation->multilingual.has_value());
  }
}

TEST(GenerationFromJson, NamesWhatItCannotRead) {
  for (const auto& [text, key] : std::map<std::string, std::string>{
           {R"({"suppress_tokens": 3})", "suppress_tokens"},
           {R"({"suppress_tokens": ["a"]})", "suppress_tokens"},
           {R"({"suppress_tokens": [1e99]})", "suppress_tokens"},
           {R"({"begin_suppress_tokens": [4294967296]})", "begin_suppress_tokens"},
           {R"({"alignment_heads": 1})", "alignment_heads"},
           {R"({"alignment_heads": [1, 2]})", "alignment_heads"},
           {R"({"alignment_heads": [[1]]})", "alignment_heads"},
           {R"({"alignment_heads": [[1, 2.5]]})", "alignment_heads"},
           {R"({"is_multilingual": "yes"})", "is_multilingual"},
           {"[]", "generation_config.json"}}) {
    const auto generation = generation_from_json("{}", text);
    ASSERT_FALSE(generation) << text;
    EXPECT_EQ(generation.error().code(), Code::kCorrupt);
    EXPECT_THAT(generation.error().message(), HasSubstr(key));
  }
}

TEST(GenerationFromJson, ReadsBackWhatIsWritten) {
  GenerationConfig generation;
  generation.suppress = {1, 50360};
  generation.suppress_begin = {220};
  generation.alignment_heads = {{3, 1}, {5, 0}};
  for (const std::optional<bool> multilingual : {std::optional<bool>(), std::optional(true)}) {
    generation.multilingual = multilingual;
    const std::string text = generation_to_json(generation);
    const auto again = generation_from_json("{}", text);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(generation_to_json(*again), text);
    EXPECT_EQ(again->suppress, generation.suppress);
    EXPECT_EQ(again->multilingual, multilingual);
  }
}

TEST(GenerationFromCt2, ReadsTheListsOfItsConfiguration) {
  const auto generation = generation_from_ct2(
      R"({"suppress_ids": [1, -1], "suppress_ids_begin": [220], "alignment_heads": [[3, 1]],
          "lang_ids": [50259]})");
  ASSERT_TRUE(generation) << generation.error().message();
  EXPECT_THAT(generation->suppress, ElementsAre(1));
  EXPECT_THAT(generation->suppress_begin, ElementsAre(220));
  EXPECT_EQ(generation->alignment_heads.size(), 1u);
  EXPECT_TRUE(generation_from_ct2("{}"));
  EXPECT_FALSE(generation_from_ct2(R"({"suppress_ids": {}})"));
  EXPECT_FALSE(generation_from_ct2(""));
}

TEST(ConfigFromCt2, ReadsTheShapesOfItsTensors) {
  const Config tiny_config = *config_from_json(tiny().dump());
  const auto config = config_from_ct2(describe_ct2(tiny_config));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config_to_json(*config), config_to_json(tiny_config));
}

TEST(ConfigFromCt2, NamesWhatIsMissingOrImpossible) {
  const io::WeightFile good = describe_ct2(*config_from_json(tiny().dump()));
  for (const char* name :
       {"encoder/conv1/weight", "encoder/num_heads", "decoder/num_heads",
        "decoder/embeddings/weight", "encoder/position_encodings/encodings",
        "decoder/position_encodings/encodings", "encoder/layer_0/ffn/linear_0/weight"}) {
    io::WeightFile file = good;
    file.tensors.erase(name);
    const auto result = config_from_ct2(file);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code(), Code::kCorrupt);
    EXPECT_THAT(result.error().message(), HasSubstr(name));
  }
  io::WeightFile scalar = good;
  scalar.tensors.at("encoder/conv1/weight").shape = {};
  EXPECT_FALSE(config_from_ct2(scalar));
  io::WeightFile heads = good;
  heads.tensors.at("encoder/num_heads") = heads.tensors.at("encoder/conv1/weight");
  EXPECT_FALSE(config_from_ct2(heads));
  io::WeightFile other = good;
  other.metadata["spec_name"] = "TransformerSpec";
  EXPECT_EQ(config_from_ct2(other).error().code(), Code::kUnsupported);
  other.metadata.clear();
  EXPECT_EQ(config_from_ct2(other).error().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace quintet::whisper
