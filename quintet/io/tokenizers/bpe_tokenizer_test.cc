#include "quintet/io/tokenizers/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "quintet/core/env.h"
#include "quintet/core/file.h"

namespace quintet::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::filesystem::path whisper_tokenizer() {
  const std::filesystem::path models =
      env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models");
  return models / "whisper-base/tokenizer.json";
}

class WhisperTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(whisper_tokenizer()))
      GTEST_SKIP() << whisper_tokenizer() << " is not there; `quintet pull whisper-base`, or name "
                   << "the folder of models in QUINTET_TEST_MODELS";
    auto loaded = BpeTokenizer::load(whisper_tokenizer());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    tokenizer_ = *std::move(loaded);
  }
  const BpeTokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::optional<BpeTokenizer> tokenizer_;
};

TEST_F(WhisperTokenizer, GivesTheTokensOfTransformers) {
  const auto json = read_file(QUINTET_SOURCE_DIR "/tests/goldens/tokenizer/whisper.json", 1 << 20);
  ASSERT_TRUE(json.has_value());
  for (const auto& golden : nlohmann::json::parse(*json)) {
    const auto text = golden["text"].get<std::string>();
    const auto ids = golden["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer().encode(text), ids) << text;
    EXPECT_EQ(tokenizer().decode(ids), text);
  }
}

TEST_F(WhisperTokenizer, KnowsItsSpecialTokens) {
  EXPECT_EQ(tokenizer().token_id("<|endoftext|>"), 50257);
  EXPECT_EQ(tokenizer().token_id("<|en|>"), 50259);
  EXPECT_TRUE(tokenizer().is_special(50257));
  EXPECT_FALSE(tokenizer().is_special(400));
  EXPECT_EQ(tokenizer().size(), 50364);
  EXPECT_THAT(tokenizer().encode("<|startoftranscript|><|en|> And"),
              ElementsAre(50258, 50259, 400));
}

}  // namespace
}  // namespace quintet::io
