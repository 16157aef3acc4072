#include "quintet/eval/normalize.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "quintet/core/file.h"
#include "quintet/eval/english_spelling.h"

namespace quintet::eval {
namespace {

nlohmann::json goldens(const std::string& name) {
  const auto text = read_file(QUINTET_SOURCE_DIR "/tests/goldens/normalizer/" + name, 1 << 20);
  return text.has_value() ? nlohmann::json::parse(*text) : nlohmann::json();
}

TEST(NormalizeEnglish, EqualsThePublicImplementationOnItsSentences) {
  const auto cases = goldens("english.json");
  ASSERT_GT(cases.size(), 100u);
  for (const auto& item : cases)
    EXPECT_EQ(normalize_english(item["text"].get<std::string>()), item["normalized"]) << item;
}

TEST(NormalizeBasic, EqualsThePublicImplementationOnItsSentences) {
  const auto cases = goldens("basic.json");
  ASSERT_GT(cases.size(), 10u);
  for (const auto& item : cases) {
    const auto split = item["split_letters"].get<bool>() ? SplitLetters::kYes : SplitLetters::kNo;
    EXPECT_EQ(normalize_basic(item["text"].get<std::string>(), split), item["normalized"]) << item;
  }
}

TEST(NormalizeEnglish, TakesTypographicApostrophesForApostrophes) {
  EXPECT_EQ(normalize_english("I don\u2019t say it\u2019s"), "i do not say it is");
}

TEST(NormalizeEnglish, KeepsNumbersThatAreTooLongToCalculateWith) {
  const std::string digits(40, '7');
  EXPECT_EQ(normalize_english(digits + " million"), digits + " 1000000");
  std::string words = "one";
  for (int i = 0; i < 40; ++i) words += " quadrillion one";
  EXPECT_FALSE(normalize_english(words).empty());
}

TEST(NormalizeEnglish, LeavesNothingOfAnEmptyOrWordlessText) {
  for (const char* text : {"", "   ", "...", "uh, um.", "[music]", "(", "\xff\xfe"})
    EXPECT_EQ(normalize_english(text), "") << text;
}

TEST(NormalizeEnglish, IsDoneOnceAndForAllOnSpeech) {
  const std::string once = normalize_english(
      "He's paid twenty-five dollars for the colour programme, Mr. Smith, on May the second.");
  EXPECT_EQ(normalize_english(once), once);
}

TEST(NormalizeEnglish, TakesLongHostileTextInLinearTime) {
  for (const std::string_view unit :
       {"[", "(", "'", " '", "1,", "one ", "double ", ".", "\u2019"}) {
    std::string text;
    while (text.size() < 200'000) text += unit;
    EXPECT_LE(normalize_english(text).size(), 2 * text.size());
  }
}

TEST(NormalizeText, ChoosesByLanguage) {
  EXPECT_EQ(normalize_text("It's colour", "en"), "it is color");
  EXPECT_EQ(normalize_text("It's colour", ""), "it is color");
  EXPECT_EQ(normalize_text("It's colour", "de"), "it s colour");
  EXPECT_EQ(normalize_text("\u4f60\u597d", "zh"), "\u4f60 \u597d");
}

TEST(AmericanSpelling, ChangesWordsByRuleAndByList) {
  EXPECT_EQ(american_spelling("colourful"), "colorful");
  EXPECT_EQ(american_spelling("reorganisations"), "reorganizations");
  EXPECT_EQ(american_spelling("unrecognised"), "unrecognized");
  EXPECT_EQ(american_spelling("kilometres"), "kilometers");
  EXPECT_EQ(american_spelling("centred"), "centered");
  EXPECT_EQ(american_spelling("travelling"), "traveling");
  EXPECT_EQ(american_spelling("dialogues"), "dialogs");
  EXPECT_EQ(american_spelling("analysing"), "analyzing");
  EXPECT_EQ(american_spelling("cheques"), "checks");
}

TEST(AmericanSpelling, LeavesWordsThatOnlyLookBritish) {
  for (const char* word : {"rise", "promise", "exercise", "hour", "four", "glamour", "macabre",
                           "called", "chilled", "rogue", "league", "", "s", "ing", "ours"})
    EXPECT_EQ(american_spelling(word), word);
}

}  // namespace
}  // namespace quintet::eval
