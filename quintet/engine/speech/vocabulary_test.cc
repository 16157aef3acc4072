#include "quintet/engine/speech/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "quintet/engine/speech/test_tokenizer.h"

namespace quintet::speech {
namespace {

using ::testing::HasSubstr;
using testing::make_tokenizer;
using testing::special_tokens;

// The 99 languages of v1 and v2, which languages.inc lists before v3's Cantonese.
std::vector<std::string> languages_of_v2() {
  std::vector<std::string> codes;
#define QT_LANGUAGE(code, name) codes.emplace_back(code);
#include "quintet/engine/speech/languages.inc"
#undef QT_LANGUAGE
  EXPECT_EQ(codes.size(), 100u);
  EXPECT_EQ(codes.back(), "yue");
  codes.pop_back();
  return codes;
}

Result<Vocabulary> vocabulary_of(const std::vector<std::pair<std::string, int32_t>>& specials,
                                 std::optional<bool> multilingual = {}) {
  whisper::GenerationConfig generation;
  generation.multilingual = multilingual;
  return Vocabulary::from(make_tokenizer({}, specials), generation);
}

TEST(Vocabulary, KnowsTheLayoutOfTheFirstTwoVersions) {
  for (const char* no_speech : {"<|nospeech|>", "<|nocaptions|>"}) {
    const auto v = vocabulary_of(special_tokens(50257, languages_of_v2(), no_speech));
    ASSERT_TRUE(v) << v.error().message();
    EXPECT_TRUE(v->multilingual);
    EXPECT_EQ(v->end_of_text, 50257);
    EXPECT_EQ(v->start, 50258);
    EXPECT_EQ(v->translate, 50358);
    EXPECT_EQ(v->transcribe, 50359);
    EXPECT_EQ(v->previous, 50361);
    EXPECT_EQ(v->no_speech, 50362);
    EXPECT_EQ(v->no_timestamps, 50363);
    EXPECT_EQ(v->first_timestamp, 50364);
    EXPECT_EQ(v->languages.size(), 99u);
  }
}

TEST(Vocabulary, KnowsTheLayoutOfTheThirdVersionWithCantonese) {
  std::vector<std::string> languages = languages_of_v2();
  languages.emplace_back("yue");
  const auto v = vocabulary_of(special_tokens(50257, languages));
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(v->transcribe, 50360);
  EXPECT_EQ(v->no_speech, 50363);
  EXPECT_EQ(v->first_timestamp, 50365);
  EXPECT_EQ(v->languages.size(), 100u);
  EXPECT_EQ(v->language("yue")->token, 50358);
  EXPECT_EQ(v->language("Cantonese")->token, 50358);
}

TEST(Vocabulary, EnglishOnlyModelsHaveNoLanguages) {
  const auto v = vocabulary_of(special_tokens(50256, languages_of_v2(), "<|nocaptions|>"));
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_FALSE(v->multilingual);
  EXPECT_EQ(v->start, 50257);
  EXPECT_EQ(v->no_timestamps, 50362);
  EXPECT_TRUE(v->languages.empty());
  EXPECT_EQ(v->language("en")->code, "en");
  EXPECT_EQ(v->language("English")->code, "en");
  const auto german = v->language("de");
  ASSERT_FALSE(german);
  EXPECT_EQ(german.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(german.error().message(), HasSubstr("English only"));
}

TEST(Vocabulary, ThePublishersWordOnLanguagesCountsMoreThanTheLayout) {
  EXPECT_TRUE(vocabulary_of(special_tokens(300, {"en", "de"}), true)->multilingual);
  EXPECT_FALSE(vocabulary_of(special_tokens(300, {"en", "de"}))->multilingual);
  EXPECT_FALSE(vocabulary_of(special_tokens(50257, {"en", "de"}), false)->multilingual);
}

TEST(Vocabulary, FindsLanguagesByCodeAndByNameInAnyCase) {
  const auto v = vocabulary_of(special_tokens(50257, languages_of_v2()));
  ASSERT_TRUE(v);
  for (const char* name : {"de", "DE", "german", "German"}) {
    const auto found = v->language(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->code, "de");
    EXPECT_EQ(found->token, 50261);
  }
  for (const char* name : {"", "klingon", "d", "<|de|>", "yue"}) {
    const auto found = v->language(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(found.error().message(), HasSubstr('"' + std::string(name) + '"'));
  }
}

TEST(Vocabulary, NamesATokenThatIsMissing) {
  const auto all = special_tokens(50257, {"en"});
  for (const char* missing : {"<|endoftext|>", "<|startoftranscript|>", "<|transcribe|>",
                              "<|translate|>", "<|startofprev|>", "<|notimestamps|>"}) {
    auto specials = all;
    std::erase_if(specials, [&](const auto& token) { return token.first == missing; });
    const auto v = vocabulary_of(specials);
    ASSERT_FALSE(v) << missing;
    EXPECT_EQ(v.error().code(), Code::kCorrupt);
    EXPECT_THAT(v.error().message(), HasSubstr(missing));
    EXPECT_THAT(v.error().message(), HasSubstr("tokenizer.json"));
  }
}

TEST(Vocabulary, RefusesMultilingualModelsWithoutLanguages) {
  const auto v = vocabulary_of(special_tokens(50257, {}));
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code(), Code::kCorrupt);
  EXPECT_THAT(v.error().message(), HasSubstr("<|en|>"));
}

TEST(Vocabulary, RefusesSpecialTokensInAnOrderThatNoModelHas) {
  auto specials = special_tokens(300, {"en"});
  for (size_t i = 0; i < specials.size(); ++i) {
    specials[i].second = 300 + static_cast<int32_t>(specials.size() - i);
  }
  const auto v = vocabulary_of(specials);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code(), Code::kCorrupt);
}

TEST(Vocabulary, TimestampsCountInStepsOf20Milliseconds) {
  const auto v = vocabulary_of(special_tokens(50257, {"en"}));
  ASSERT_TRUE(v);
  EXPECT_EQ(v->seconds(v->first_timestamp), 0);
  EXPECT_NEAR(v->seconds(v->first_timestamp + 1500), 30, 1e-9);
  EXPECT_TRUE(v->is_timestamp(v->first_timestamp));
  EXPECT_FALSE(v->is_timestamp(v->no_timestamps));
  EXPECT_TRUE(v->is_text(v->end_of_text - 1));
  EXPECT_FALSE(v->is_text(v->end_of_text));
}

TEST(LanguageName, IsTheEnglishNameOrTheCodeItself) {
  EXPECT_EQ(language_name("de"), "german");
  EXPECT_EQ(language_name("xx"), "xx");
}

}  // namespace
}  // namespace quintet::speech
