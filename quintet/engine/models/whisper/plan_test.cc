#include "quintet/engine/models/whisper/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/test_model.h"

namespace quintet::whisper {
namespace {

using kernels::WeightFormat;
using ::testing::HasSubstr;
using testing::tiny_config;

TEST(Plan, HasAnEntryWithAReasonForEveryMatrixAndForNothingElse) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    const Plan plan = default_plan(tiny_config(), precision);
    size_t matrices = 0;
    for (const LayerSpec& spec : layer_specs(tiny_config())) {
      EXPECT_EQ(plan.contains(spec.name), is_matrix(spec.kind)) << spec.name;
      matrices += is_matrix(spec.kind) ? 1 : 0;
    }
    EXPECT_EQ(plan.size(), matrices);
    for (const auto& [name, choice] : plan) EXPECT_NE(choice.reason, "") << name;
  }
}

TEST(Plan, OfInt8KeepsConvolutionsInBfloat16) {
  const Plan plan = default_plan(tiny_config(), Precision::kInt8);
  EXPECT_EQ(plan.at("encoder.conv1").format, WeightFormat::kBF16);
  EXPECT_EQ(plan.at("encoder.layers.0.qkv").format, WeightFormat::kI8);
  EXPECT_EQ(plan.at("decoder.embedding").format, WeightFormat::kI8);
}

TEST(Plan, OfInt4HasFourBitsWhereEveryTokenReads) {
  const Plan plan = default_plan(tiny_config(), Precision::kInt4);
  EXPECT_EQ(plan.at("decoder.layers.0.cross_q").format, WeightFormat::kI4);
  EXPECT_EQ(plan.at("decoder.layers.0.cross_kv").format, WeightFormat::kI8);
  EXPECT_EQ(plan.at("encoder.layers.0.qkv").format, WeightFormat::kI8);
  EXPECT_EQ(plan.at("encoder.conv1").format, WeightFormat::kBF16);
}

TEST(Plan, ComesBackFromItsText) {
  Plan plan = default_plan(tiny_config(), Precision::kInt8);
  plan["encoder.layers.0.qkv"] = {WeightFormat::kBF16, "signal to noise 9 dB at int8", 9.25};
  const auto again =
      weights::plan_from_json(weights::plan_to_json(plan), layer_specs(tiny_config()));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, plan);
}

TEST(Plan, RefusesTextThatDoesNotDescribeEveryMatrix) {
  const auto good =
      nlohmann::json::parse(plan_to_json(default_plan(tiny_config(), Precision::kInt8)));
  const auto error_of = [](const std::string& text) {
    const auto plan = weights::plan_from_json(text, layer_specs(tiny_config()));
    EXPECT_FALSE(plan) << text;
    return plan ? "" : plan.error().message();
  };
  for (const char* text : {"", "{", "[]", "null", "{}"})
    EXPECT_THAT(error_of(text), HasSubstr("layers"));
  const auto with = [&](const nlohmann::json& value) {
    auto changed = good;
    changed["decoder.layers.1.fc2"] = value;
    return error_of(changed.dump());
  };
  for (const nlohmann::json& value :
       {nlohmann::json("int8"), nlohmann::json::object(), nlohmann::json{{"format", "int3"}},
        nlohmann::json{{"format", 8}}, nlohmann::json{{"format", "int8"}, {"reason", 1}},
        nlohmann::json{{"format", "int8"}, {"snr_db", "much"}}}) {
    EXPECT_THAT(with(value), HasSubstr("layers: decoder.layers.1.fc2"));
  }
}

}  // namespace
}  // namespace quintet::whisper
