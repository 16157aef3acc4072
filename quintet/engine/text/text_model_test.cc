// The text interface: SmolLM2-135M against the reference implementation where the model is there,
// and what a model without a tokenizer can do and says that it cannot.
#include "quintet/engine/text/text_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quintet/core/env.h"
#include "quintet/core/file.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(QUINTET_SOURCE_DIR) / "tests/goldens";

TextModel load_tiny(const TextLoadOptions& options = {.precision = Precision::kF32, .threads = 2}) {
  return TextModel::load((kGoldens / "tiny-llama").string(), options).value();
}

TEST(TextModel, SaysThatATokenizerIsMissing) {
  const TextModel model = load_tiny();
  EXPECT_FALSE(model.has_chat_template());
  EXPECT_EQ(model.encode("text").error().message(), "the model has no tokenizer");
  const ChatMessage message{"user", "text"};
  EXPECT_EQ(model.chat_prompt({&message, 1}).error().code(), Code::kUnsupported);
  EXPECT_EQ(model.decode(std::vector<int32_t>{5, 6}), "");
  EXPECT_EQ(model.token_text(5), "");
}

TEST(TextModel, AnswersATokenizerLessPromptWithTokensOnly) {
  const TextModel model = load_tiny();
  const auto answer =
      model.generate({{5, 6, 7}, {.max_new_tokens = 4, .ignore_end = true}}).value();
  EXPECT_EQ(answer.tokens.size(), 4u);
  EXPECT_EQ(answer.text, "");
  EXPECT_GT(answer.timings.total, 0);
}

TEST(TextModel, GivesEachRequestItsOwnError) {
  const TextModel model = load_tiny();
  const std::vector<GenerateRequest> requests = {
      {{5, 6}, {.max_new_tokens = 3, .ignore_end = true}}, {{}, {}}, {{512}, {}}};
  const auto results = model.generate_batch(requests);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().code(), Code::kInvalidArgument);
  EXPECT_EQ(results[2].error().code(), Code::kInvalidArgument);
}

TEST(TextModel, ShowsTheLogitsFromATokenOn) {
  const TextModel model = load_tiny();
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 200; ++i) tokens.push_back(i);
  std::vector<int64_t> all_seen;
  std::vector<float> last;
  ASSERT_TRUE(model.run(tokens, 0, [&](int64_t at, std::span<float> logits) {
    all_seen.push_back(at);
    last.assign(logits.begin(), logits.end());
  }));
  EXPECT_EQ(all_seen.size(), 200u);
  EXPECT_TRUE(std::ranges::is_sorted(all_seen));
  ASSERT_TRUE(model.run(tokens, 199, [&](int64_t at, std::span<float> logits) {
    EXPECT_EQ(at, 199);
    EXPECT_TRUE(std::ranges::equal(logits, last));
  }));
  tokens.assign(257, 5);
  EXPECT_EQ(model.run(tokens, 0, [](int64_t, std::span<float>) {}).error().code(),
            Code::kExhausted);
  tokens.assign(3, 600);
  EXPECT_EQ(model.run(tokens, 0, [](int64_t, std::span<float>) {}).error().code(),
            Code::kInvalidArgument);
}

TEST(TextModel, ForgetsPrefixes) {
  const TextModel model = load_tiny();
  const GenerateRequest request = {std::vector<int32_t>(100, 9), {.max_new_tokens = 2}};
  EXPECT_EQ(model.generate(request).value().kept_tokens, 0);
  EXPECT_EQ(model.generate(request).value().kept_tokens, 64);
  model.forget_prefixes();
  EXPECT_EQ(model.generate(request).value().kept_tokens, 0);
}

TEST(TextModel, RefusesOptionsThatContradict) {
  const std::string folder = (kGoldens / "tiny-llama").string();
  EXPECT_EQ(TextModel::load(folder, {.cache = "int3"}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(
      TextModel::load(folder, {.precision = Precision::kInt8, .baseline = true}).error().code(),
      Code::kInvalidArgument);
}

TEST(TextModel, RefusesACacheWithoutRoomForAPage) {
  const auto model = TextModel::load((kGoldens / "tiny-llama").string(), {.max_cache_bytes = 100});
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("a cache of 100 bytes"), std::string::npos);
}

class SmolLm2 : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path models = env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models");
    const fs::path folder = models / "smollm2-135m";
    if (!fs::exists(folder)) {
      // Pulled by who wants it: the folder of models need not have it.
      GTEST_SKIP() << folder << " is not there: run `quintet pull smollm2-135m` and name the "
                   << "folder of models in QUINTET_TEST_MODELS";
    }
    model_ = std::make_unique<TextModel>(
        TextModel::load(folder.string(), {.precision = Precision::kF32, .threads = 2}).value());
    logits_ = io::read_weights(kGoldens / "smollm2-135m/logits.safetensors").value();
    entries_ = nlohmann::json::parse(
        read_file(kGoldens / "smollm2-135m/generations_fp32.json", 1 << 20).value());
  }

  static std::vector<int32_t> ids(const nlohmann::json& entry) { return entry["ids"]; }

  // Without the end token, as Generation has them.
  std::vector<int32_t> greedy(const nlohmann::json& entry) const {
    std::vector<int32_t> tokens = entry["greedy"];
    if (std::ranges::count(model_->end_tokens(), tokens.back()) > 0) tokens.pop_back();
    return tokens;
  }

  std::unique_ptr<TextModel> model_;
  io::WeightFile logits_;
  nlohmann::json entries_;
};

TEST_F(SmolLm2, RendersItsChatTemplate) {
  for (const auto& entry : entries_) {
    const ChatMessage message{"user", entry["prompt"]};
    const auto tokens = model_->chat_prompt({&message, 1}).value();
    EXPECT_EQ(tokens, ids(entry));
    std::string rendered;
    for (const int32_t token : tokens) rendered += model_->token_text(token);
    EXPECT_EQ(rendered, entry["rendered"].get<std::string>());
  }
}

TEST_F(SmolLm2, GivesTheLogitsOfTheReference) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const auto tokens = ids(entries_[i]);
    const auto golden = io::to_f32(*logits_.find("logits_" + std::to_string(i))).value();
    const auto compare = [&](int64_t, std::span<float> logits) {
      double largest = 0;
      double error = 0;
      for (size_t t = 0; t < golden.size(); ++t) {
        largest = std::max(largest, std::abs(static_cast<double>(golden[t])));
        error = std::max(error, std::abs(static_cast<double>(golden[t] - logits[t])));
      }
      EXPECT_LT(error / largest, 1e-3) << i;
    };
    ASSERT_TRUE(model_->run(tokens, std::ssize(tokens) - 1, compare));
  }
}

TEST_F(SmolLm2, GivesTheTokensAndTextOfTheReferenceAloneAndTogether) {
  std::vector<GenerateRequest> requests;
  for (const auto& entry : entries_) {
    requests.push_back({ids(entry), {.max_new_tokens = 32}});
    const auto answer = model_->generate(requests.back()).value();
    EXPECT_EQ(answer.tokens, greedy(entry));
    EXPECT_EQ(answer.text, entry["text"].get<std::string>());
  }
  const auto results = model_->generate_batch(requests);
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].value().tokens, greedy(entries_[i]));
  }
}

TEST_F(SmolLm2, StreamsTheTextThatItReturns) {
  GenerateRequest request{ids(entries_[1]), {.max_new_tokens = 24}};
  std::string streamed;
  request.options.on_text = [&](std::string_view piece) { streamed += piece; };
  const auto answer = model_->generate(request).value();
  EXPECT_EQ(streamed, answer.text);
  EXPECT_FALSE(streamed.empty());
}

TEST_F(SmolLm2, EndsBeforeAStopText) {
  const std::string text = entries_[1]["text"];
  const std::string stop = text.substr(text.size() / 2, 3);
  GenerateRequest request{ids(entries_[1]), {.max_new_tokens = 32}};
  request.options.stop.push_back(stop);
  const auto answer = model_->generate(request).value();
  EXPECT_EQ(answer.reason, FinishReason::kStopString);
  EXPECT_EQ(answer.text, text.substr(0, text.find(stop)));
}

}  // namespace
}  // namespace quintet
