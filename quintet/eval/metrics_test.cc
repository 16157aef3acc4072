#include "quintet/eval/metrics.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace quintet::eval {
namespace {

std::vector<int32_t> random_tokens(std::mt19937_64& random, size_t length) {
  std::vector<int32_t> tokens(length);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % 4);
  return tokens;
}

// The definition, without a table.
int64_t distance_ref(std::span<const int32_t> a, std::span<const int32_t> b) {
  if (a.empty() || b.empty()) return static_cast<int64_t>(a.size() + b.size());
  if (a[0] == b[0]) return distance_ref(a.subspan(1), b.subspan(1));
  return 1 + std::min({distance_ref(a.subspan(1), b), distance_ref(a, b.subspan(1)),
                       distance_ref(a.subspan(1), b.subspan(1))});
}

TEST(EditCounts, CountsEachKindOfError) {
  EXPECT_EQ(word_edits("a b c", "a b c"), (EditCounts{0, 0, 0, 3}));
  EXPECT_EQ(word_edits("a b c", "a x c"), (EditCounts{1, 0, 0, 3}));
  EXPECT_EQ(word_edits("a b c", "a b x c"), (EditCounts{0, 1, 0, 3}));
  EXPECT_EQ(word_edits("a b c", "a c"), (EditCounts{0, 0, 1, 3}));
  EXPECT_EQ(word_edits("a b c d e", "x b d e f"), (EditCounts{1, 1, 1, 5}));
  EXPECT_EQ(word_edits("", "a b"), (EditCounts{0, 2, 0, 0}));
  EXPECT_EQ(word_edits("a b", ""), (EditCounts{0, 0, 2, 2}));
  EXPECT_EQ(word_edits("  a   b ", "a b"), (EditCounts{0, 0, 0, 2}));
}

TEST(EditCounts, EqualsTheDefinitionOnRandomSequences) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::vector<int32_t> a = random_tokens(random, random() % 8);
    const std::vector<int32_t> b = random_tokens(random, random() % 8);
    const EditCounts counts = edit_counts(a, b);
    EXPECT_EQ(counts.errors(), distance_ref(a, b));
    EXPECT_EQ(counts.insertions - counts.deletions,
              static_cast<int64_t>(b.size()) - static_cast<int64_t>(a.size()));
  }
}

TEST(EditCounts, TakesCodePointsForCharacters) {
  EXPECT_EQ(character_edits("na\u00efve", "naive"), (EditCounts{1, 0, 0, 5}));
  EXPECT_EQ(character_edits("\xff\xfe", "\xff"), (EditCounts{0, 0, 1, 2}));
}

TEST(Ratio, IsTheCorpusLevelRateWhenSummed) {
  const std::vector<Ratio> items = {{1, 2}, {0, 8}};
  EXPECT_DOUBLE_EQ(sum(items).rate(), 0.1);
  EXPECT_DOUBLE_EQ((Ratio{0, 0}).rate(), 0.0);
  EXPECT_DOUBLE_EQ((Ratio{3, 0}).rate(), 1.0);
}

TEST(WordErrorRate, LooksPastSpellingCaseAndPunctuation) {
  EXPECT_EQ(
      word_error_rate("He's paid twenty dollars, Mr. Smith.", "he is paid $20 mister smith", "en"),
      (Ratio{0, 6}));
  EXPECT_EQ(word_error_rate("the colour", "the color red", "en"), (Ratio{1, 2}));
}

TEST(CharacterErrorRate, LeavesSpacesOutWhereALanguageHasNone) {
  EXPECT_EQ(character_error_rate("\u4f60\u597d", "\u4f60 \u574f", "zh"), (Ratio{1, 2}));
  EXPECT_EQ(character_error_rate("ab cd", "abcd", "de"), (Ratio{1, 5}));
}

TEST(ExactMatch, ForgivesCaseSpacesAndPunctuationAtTheEndsOnly) {
  EXPECT_EQ(exact_match("Circle", " circle.\n", "en"), (Ratio{1, 1}));
  EXPECT_EQ(exact_match("\"Two  squares\"", "two squares", "en"), (Ratio{1, 1}));
  EXPECT_EQ(exact_match("3.5", "35", "en"), (Ratio{0, 1}));
  EXPECT_EQ(exact_match("C++", "C", "en"), (Ratio{0, 1}));
  EXPECT_EQ(exact_match("?", "!", "en"), (Ratio{0, 1}));
  EXPECT_EQ(exact_match("", "", "en"), (Ratio{1, 1}));
}

TEST(Metrics, AreFoundByName) {
  ASSERT_NE(find_metric("wer"), nullptr);
  EXPECT_EQ(find_metric("wer")->better, Better::kLower);
  EXPECT_EQ(find_metric("exact_match")->score("a", "A", ""), (Ratio{1, 1}));
  EXPECT_EQ(find_metric("nonsense"), nullptr);
  EXPECT_GE(all_metrics().size(), 3u);
}

}  // namespace
}  // namespace quintet::eval
