#include "quintet/engine/speech/word_alignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>

#include "quintet/engine/speech/test_tokenizer.h"

namespace quintet::speech {
namespace {

using ::testing::ElementsAre;

// The texts as tokens of their own, grouped.
std::vector<std::string> groups_of(const std::vector<std::string>& texts,
                                   std::string_view language) {
  const auto tokenizer = testing::make_tokenizer(texts);
  std::vector<int32_t> tokens;
  for (const std::string& text : texts) {
    tokens.push_back(tokenizer.token_id(text).value_or(-1));
    EXPECT_NE(tokens.back(), -1) << text;
  }
  std::vector<std::string> groups;
  std::vector<int32_t> all;
  for (const TokenGroup& group : split_words(tokens, tokenizer, language)) {
    groups.push_back(group.text);
    std::string joined;
    for (const int32_t token : group.tokens) joined += tokenizer.token_bytes(token);
    EXPECT_EQ(group.text, joined);
    all.insert(all.end(), group.tokens.begin(), group.tokens.end());
  }
  EXPECT_EQ(all, tokens);
  return groups;
}

TEST(SplitWords, WordsBeginAtSpaces) {
  EXPECT_THAT(groups_of({" And", " so", " fel", "low", " citizens"}, "en"),
              ElementsAre(" And", " so", " fellow", " citizens"));
  EXPECT_THAT(groups_of({"Be", "gin"}, "en"), ElementsAre("Begin"));
}

TEST(SplitWords, PunctuationStandsAlone) {
  EXPECT_THAT(groups_of({" so", ",", " it", "'", "xs", " (", "yes", ")", "..."}, "en"),
              ElementsAre(" so", ",", " it", "'xs", " (yes", ")..."));
}

TEST(SplitWords, LanguagesWithoutSpacesSplitAtTokensOfWholeCharacters) {
  EXPECT_THAT(groups_of({"我们", "是", "。"}, "zh"), ElementsAre("我们", "是", "。"));
  EXPECT_THAT(groups_of({"我们", "是", "。"}, "en"), ElementsAre("我们是。"));
  for (const char* language : {"ja", "th", "lo", "my", "yue"}) {
    EXPECT_THAT(groups_of({"我", "是"}, language), ElementsAre("我", "是")) << language;
  }
}

TEST(SplitWords, CharactersCutOverTokensStayTogether) {
  EXPECT_THAT(groups_of({"\xe6\x88", "\x91", "是"}, "zh"), ElementsAre("我", "是"));
  EXPECT_THAT(groups_of({" \xf0\x9f", "\x98", "\x80", " a"}, "en"), ElementsAre(" 😀", " a"));
}

TEST(SplitWords, ACharacterThatNeverEndsTakesAtMostOneTokenAlong) {
  EXPECT_THAT(groups_of({" a", " \xe6\x88", " b", " c"}, "en"),
              ElementsAre(" a", " \xe6\x88 b", " c"));
  EXPECT_THAT(groups_of({" a", " \xe6\x88"}, "en"), ElementsAre(" a", " \xe6\x88"));
}

TEST(SplitWords, BytesThatAreNoTextDoNotSwallowTheRest) {
  EXPECT_THAT(groups_of({" a", "\xff", " b", "\x80\x80\x80\x80", " c"}, "en"),
              ElementsAre(" a\xff", " b\x80\x80\x80\x80", " c"));
}

TEST(SplitWords, GivesNothingForNothing) { EXPECT_TRUE(groups_of({}, "en").empty()); }

TEST(BestPath, FollowsTheCheapCells) {
  // One row per token, one column per 20 ms.
  const std::vector<float> cost = {0, 0, 9, 9, 9, 9,  //
                                   9, 9, 0, 9, 9, 9,  //
                                   9, 9, 9, 0, 0, 0};
  EXPECT_THAT(first_columns_of_best_path(cost, 3, 6), ElementsAre(0, 2, 3));
}

TEST(BestPath, RowsMayShareAColumn) {
  const std::vector<float> cost = {-1, 5,  5,  //
                                   -1, 5,  5,  //
                                   5,  -1, 5,  //
                                   5,  -1, 5,  //
                                   5,  5,  -1};
  EXPECT_THAT(first_columns_of_best_path(cost, 5, 3), ElementsAre(0, 0, 1, 1, 2));
}

TEST(BestPath, ASingleRowOrColumnBeginsAtZero) {
  EXPECT_THAT(first_columns_of_best_path({3, -1, 2, 0}, 1, 4), ElementsAre(0));
  EXPECT_THAT(first_columns_of_best_path({3, -1, 2, 0}, 4, 1), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(first_columns_of_best_path({7}, 1, 1), ElementsAre(0));
}

// The cheapest path of all, one step right, down or both at a time.
float cheapest(const std::vector<float>& cost, int64_t rows, int64_t columns) {
  const std::function<float(int64_t, int64_t)> from = [&](int64_t r, int64_t c) -> float {
    if (r >= rows || c >= columns) return std::numeric_limits<float>::infinity();
    const float here = cost[static_cast<size_t>(r * columns + c)];
    if (r == rows - 1 && c == columns - 1) return here;
    return here + std::min({from(r + 1, c), from(r, c + 1), from(r + 1, c + 1)});
  };
  return from(0, 0);
}

// The cheapest path whose rows begin at `first`.
float cost_with(const std::vector<float>& cost, int64_t rows, int64_t columns,
                const std::vector<int64_t>& first) {
  float sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t begin = first[static_cast<size_t>(r)];
    // A row ends where the next begins or one column before it, whichever is cheaper.
    const int64_t next = r + 1 < rows ? first[static_cast<size_t>(r + 1)] : columns;
    for (int64_t c = begin; c < std::max(next, begin + 1); ++c) {
      sum += cost[static_cast<size_t>(r * columns + c)];
    }
    if (r + 1 < rows && next > begin) {
      sum += std::min(0.0f, cost[static_cast<size_t>(r * columns + next)]);
    }
  }
  return sum;
}

TEST(BestPath, IsAsCheapAsTheCheapestOfAll) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 200; ++i) {
    const auto rows = static_cast<int64_t>(1 + random() % 5);
    const auto columns = static_cast<int64_t>(1 + random() % 6);
    std::vector<float> cost(static_cast<size_t>(rows * columns));
    for (float& x : cost) x = normal(random);
    const auto first = first_columns_of_best_path(cost, rows, columns);
    ASSERT_EQ(static_cast<int64_t>(first.size()), rows);
    EXPECT_EQ(first[0], 0);
    EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
    EXPECT_NEAR(cost_with(cost, rows, columns, first), cheapest(cost, rows, columns), 1e-4f);
  }
}

}  // namespace
}  // namespace quintet::speech
