#include "quintet/engine/decode/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace quintet::decode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int32_t kBegin = 0;
constexpr int32_t kEnd = 3;
constexpr int64_t kVocabulary = 4;
using Table = std::map<std::vector<int32_t>, std::array<float, kVocabulary>>;

// Probabilities of the next token by the sequence so far; the empty key stands for all others.
class TableModel final : public StepModel {
 public:
  explicit TableModel(Table table) : table_(std::move(table)) {}

  int64_t vocabulary() const override { return kVocabulary; }
  int64_t max_tokens() const override { return 100; }

  void forward(std::span<const StepRow> rows, MatrixView<float> logits) override {
    std::vector<std::vector<int32_t>> after;
    int64_t wanted = 0;
    for (const StepRow& row : rows) {
      std::vector<int32_t>& tokens = sequences.at(row.sequence);
      tokens.push_back(row.token);
      after.push_back(tokens);
      if (row.wants_logits) write(tokens, logits.row(wanted++));
    }
    ASSERT_EQ(logits.rows, wanted);
    passes.push_back(std::move(after));
  }
  int32_t fork(int32_t sequence) override {
    const int32_t child = next_++;
    sequences[child] = sequences.at(sequence);
    return child;
  }
  void release(int32_t sequence) override { ASSERT_EQ(sequences.erase(sequence), 1u); }

  Sequence begin() {
    sequences[next_] = {};
    return {*this, next_++};
  }
  // Passes after that of the prompt.
  int64_t steps() const { return std::ssize(passes) - 1; }

  std::map<int32_t, std::vector<int32_t>> sequences;
  // The sequences that each pass extended, as they were after it.
  std::vector<std::vector<std::vector<int32_t>>> passes;

 private:
  void write(const std::vector<int32_t>& tokens, float* logits) const {
    const auto found = table_.find({tokens.begin() + 1, tokens.end()});
    const auto& row = found == table_.end() ? table_.at({-1}) : found->second;
    // Logits are free up to a constant.
    for (size_t v = 0; v < row.size(); ++v) logits[v] = std::log(row[v]) + 3.0f;
  }

  Table table_;
  int32_t next_ = 0;
};

Hypothesis run(TableModel& model, const SearchOptions& options, const LogitRules& rules = {}) {
  std::vector<float> logits(kVocabulary);
  Sequence prompt = model.begin();
  const StepRow begin = {.sequence = prompt.id(), .token = kBegin};
  model.forward({&begin, 1}, matrix(logits.data(), 1, kVocabulary));
  const auto search = make_search(std::move(prompt), rules, options);
  int64_t rows = 1;
  for (;;) {
    search->choose(matrix(logits.data(), rows, kVocabulary));
    const auto next = search->advance();
    if (next.empty()) break;
    rows = std::ssize(next);
    logits.resize(static_cast<size_t>(rows * kVocabulary));
    model.forward(next, matrix(logits.data(), rows, kVocabulary));
  }
  return search->best();
}

// Greedy takes token 1 and then has no good way on; 2, 2 is likelier altogether.
const Table kTrap = {{{}, {0.0f, 0.5f, 0.4f, 0.1f}},
                     {{1}, {0.0f, 0.4f, 0.3f, 0.3f}},
                     {{2}, {0.0f, 0.05f, 0.9f, 0.05f}},
                     {{2, 2}, {0.0f, 0.0f, 0.0f, 1.0f}},
                     {{-1}, {0.0f, 0.3f, 0.3f, 0.4f}}};

TEST(GreedySearch, TakesTheLikeliestTokenUntilTheEnd) {
  TableModel model(kTrap);
  const auto found = run(model, {.end_token = kEnd});
  EXPECT_THAT(found.tokens, ElementsAre(1, 1));
  ASSERT_EQ(found.log_probs.size(), 2u);
  EXPECT_NEAR(found.log_probs[0], std::log(0.5f), 1e-5f);
  EXPECT_NEAR(found.log_probs[1], std::log(0.4f), 1e-5f);
  EXPECT_NEAR(found.sum_log_prob, std::log(0.5f * 0.4f * 0.4f), 1e-5f);
  EXPECT_NEAR(found.average_log_prob(), std::log(0.08f) / 3, 1e-5f);
  EXPECT_EQ(model.steps(), 2);
}

TEST(GreedySearch, StopsAtTheMostNewTokensWithoutAStepTooMany) {
  TableModel model({{{-1}, {0.0f, 0.6f, 0.3f, 0.1f}}});
  const auto found = run(model, {.end_token = kEnd, .max_new_tokens = 5});
  EXPECT_THAT(found.tokens, ElementsAre(1, 1, 1, 1, 1));
  EXPECT_EQ(model.steps(), 4);
  TableModel idle(kTrap);
  EXPECT_THAT(run(idle, {.end_token = kEnd, .max_new_tokens = 0}).tokens, IsEmpty());
  EXPECT_EQ(idle.steps(), 0);
}

TEST(GreedySearch, GivesNoTokensWhereTheEndComesFirst) {
  TableModel model({{{-1}, {0.1f, 0.1f, 0.1f, 0.7f}}});
  const auto found = run(model, {.end_token = kEnd});
  EXPECT_THAT(found.tokens, IsEmpty());
  EXPECT_NEAR(found.average_log_prob(), std::log(0.7f), 1e-5f);
}

TEST(GreedySearch, RulesSeeWhatWasGeneratedAndShareOutTheProbability) {
  LogitRules rules;
  rules.push_back(std::make_unique<SuppressRule>(std::vector<int32_t>{}, std::vector<int32_t>{1}));
  TableModel model(kTrap);
  const auto found = run(model, {.end_token = kEnd}, rules);
  EXPECT_THAT(found.tokens, ElementsAre(2, 2));
  EXPECT_NEAR(found.log_probs[0], std::log(0.4f / 0.5f), 1e-5f);
}

TEST(BeamSearch, FindsALikelierSequenceThanGreedySearch) {
  TableModel model(kTrap);
  const auto found = run(model, {.end_token = kEnd, .sequences = 2});
  EXPECT_THAT(found.tokens, ElementsAre(2, 2));
  EXPECT_NEAR(found.sum_log_prob, std::log(0.4f * 0.9f), 1e-5f);
  ASSERT_EQ(found.log_probs.size(), 2u);
  EXPECT_NEAR(found.log_probs[1], std::log(0.9f), 1e-5f);
}

TEST(BeamSearch, StepsWithTheParentsOfTheBeamsThatLive) {
  // 2, 2 and 2, 1 push out everything that begins with 1.
  TableModel model({{{}, {0.0f, 0.5f, 0.5f, 0.0f}},
                    {{1}, {0.34f, 0.33f, 0.33f, 0.0f}},
                    {{2}, {0.0f, 0.48f, 0.52f, 0.0f}},
                    {{2, 1}, {0.0f, 0.0f, 0.5f, 0.5f}},
                    {{2, 2}, {0.0f, 0.5f, 0.0f, 0.5f}},
                    {{-1}, {0.0f, 0.0f, 0.0f, 1.0f}}});
  run(model, {.end_token = kEnd, .sequences = 2});
  ASSERT_GE(model.steps(), 2);
  EXPECT_THAT(model.passes[1],
              UnorderedElementsAre(ElementsAre(kBegin, 1), ElementsAre(kBegin, 2)));
  EXPECT_THAT(model.passes[2],
              UnorderedElementsAre(ElementsAre(kBegin, 2, 1), ElementsAre(kBegin, 2, 2)));
}

TEST(BeamSearch, OneThatEndedDoesNotTakeThePlaceOfALiveBeam) {
  TableModel model({{{}, {0.0f, 0.2f, 0.2f, 0.6f}}, {{-1}, {0.0f, 0.3f, 0.3f, 0.4f}}});
  run(model, {.end_token = kEnd, .sequences = 2});
  ASSERT_GE(model.steps(), 1);
  EXPECT_THAT(model.passes[1],
              UnorderedElementsAre(ElementsAre(kBegin, 1), ElementsAre(kBegin, 2)));
}

TEST(BeamSearch, CountsUnfinishedBeamsWhereNoneEnds) {
  TableModel model({{{-1}, {0.1f, 0.6f, 0.3f, 0.0f}}});
  const auto found = run(model, {.end_token = kEnd, .max_new_tokens = 3, .sequences = 3});
  EXPECT_THAT(found.tokens, ElementsAre(1, 1, 1));
  EXPECT_EQ(model.steps(), 2);
}

TEST(BeamSearch, PatienceWaitsForMoreFinishedOnes) {
  // The best sequence, 1 1 1 1, ends later than two short ones.
  const Table slow = {{{}, {0.0f, 0.8f, 0.0f, 0.2f}},
                      {{1}, {0.0f, 0.8f, 0.0f, 0.2f}},
                      {{1, 1}, {0.0f, 0.8f, 0.0f, 0.2f}},
                      {{1, 1, 1}, {0.0f, 1.0f, 0.0f, 0.0f}},
                      {{-1}, {0.0f, 0.0f, 0.0f, 1.0f}}};
  TableModel hasty(slow);
  TableModel patient(slow);
  const auto first = run(hasty, {.end_token = kEnd, .sequences = 2});
  const auto second = run(patient, {.end_token = kEnd, .sequences = 2, .patience = 2});
  EXPECT_LT(first.tokens.size(), 4u);
  EXPECT_THAT(second.tokens, ElementsAre(1, 1, 1, 1));
}

TEST(BeamSearch, TakesMoreBeamsThanThereAreTokens) {
  TableModel model(kTrap);
  const auto found = run(model, {.end_token = kEnd, .max_new_tokens = 4, .sequences = 9});
  EXPECT_THAT(found.tokens, ElementsAre(2, 2));
}

TEST(SampleSearch, TheSameSeedGivesTheSameTokens) {
  const Table even = {{{-1}, {0.3f, 0.3f, 0.35f, 0.05f}}};
  const auto tokens = [&](uint64_t seed) {
    TableModel model(even);
    return run(model, {.end_token = kEnd, .temperature = 1, .sequences = 3, .seed = seed}).tokens;
  };
  EXPECT_EQ(tokens(7), tokens(7));
  int different = 0;
  for (uint64_t seed = 0; seed < 10; ++seed)
    different += tokens(seed) == tokens(seed + 100) ? 0 : 1;
  EXPECT_GE(different, 8);
}

std::array<int, kVocabulary> frequencies(float temperature, int draws) {
  std::array<int, kVocabulary> counts = {};
  for (int seed = 0; seed < draws; ++seed) {
    TableModel model({{{-1}, {0.2f, 0.3f, 0.5f, 0.0f}}});
    const auto found = run(model, {.end_token = kEnd,
                                   .max_new_tokens = 1,
                                   .temperature = temperature,
                                   .seed = static_cast<uint64_t>(seed)});
    ++counts[static_cast<size_t>(found.tokens.at(0))];
  }
  return counts;
}

TEST(SampleSearch, DrawsTokensAsOftenAsTheyAreLikely) {
  constexpr int kDraws = 4000;  // Deviation of a count: below 32.
  const auto counts = frequencies(1, kDraws);
  EXPECT_NEAR(counts[2], 0.5 * kDraws, 150);
  EXPECT_NEAR(counts[1], 0.3 * kDraws, 150);
  EXPECT_NEAR(counts[0], 0.2 * kDraws, 150);
  EXPECT_EQ(counts[3], 0);
}

TEST(SampleSearch, LowTemperaturesSharpenAndVanishingOnesAreGreedy) {
  constexpr int kDraws = 2000;
  // Squares at temperature 1/2: 0.04, 0.09, 0.25 over 0.38.
  const auto counts = frequencies(0.5f, kDraws);
  EXPECT_NEAR(counts[2], 0.25 / 0.38 * kDraws, 110);
  EXPECT_NEAR(counts[0], 0.04 / 0.38 * kDraws, 70);
  EXPECT_EQ(frequencies(1e-3f, 50)[2], 50);
  // 3 / 1e-39 is infinite in float32.
  EXPECT_EQ(frequencies(1e-39f, 50)[2], 50);
}

TEST(SampleSearch, ReportsLogProbabilitiesAtTemperatureOne) {
  TableModel model({{{-1}, {0.5f, 0.3f, 0.2f, 0.0f}}});
  const auto found =
      run(model, {.end_token = kEnd, .max_new_tokens = 1, .temperature = 0.2f, .seed = 3});
  constexpr std::array kProbabilities = {0.5f, 0.3f, 0.2f};
  EXPECT_NEAR(found.log_probs.at(0),
              std::log(kProbabilities[static_cast<size_t>(found.tokens.at(0))]), 1e-5f);
}

TEST(SampleSearch, KeepsTheLikeliestOfItsSamples) {
  const Table table = {{{}, {0.0f, 0.5f, 0.5f, 0.0f}},
                       {{1}, {0.25f, 0.25f, 0.25f, 0.25f}},
                       {{2}, {0.0f, 0.0f, 0.0f, 1.0f}},
                       {{-1}, {0.25f, 0.25f, 0.25f, 0.25f}}};
  TableModel model(table);
  const auto found = run(model, {.end_token = kEnd, .temperature = 1, .sequences = 16, .seed = 5});
  EXPECT_THAT(found.tokens, ElementsAre(2));
}

TEST(SampleSearch, AllSamplesContinueThePromptAndLaterEachItself) {
  TableModel model({{{-1}, {0.4f, 0.3f, 0.3f, 0.0f}}});
  run(model, {.end_token = kEnd, .max_new_tokens = 3, .temperature = 1, .sequences = 3});
  ASSERT_EQ(model.steps(), 2);
  ASSERT_EQ(model.passes[1].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    std::vector<int32_t> past = model.passes[2][i];
    past.pop_back();
    EXPECT_EQ(past, model.passes[1][i]);
  }
}

TEST(Search, LeavesNoSequenceBehindWhereverItIsGivenUp) {
  for (const float temperature : {0.0f, 1.0f}) {
    for (const int sequences : {1, 3}) {
      for (int passes = 0; passes < 4; ++passes) {
        TableModel model({{{-1}, {0.4f, 0.3f, 0.3f, 0.0f}}});
        std::vector<float> logits(3 * kVocabulary, 0.0f);
        const LogitRules rules;
        Sequence prompt = model.begin();
        const StepRow begin = {.sequence = prompt.id(), .token = kBegin};
        model.forward({&begin, 1}, matrix(logits.data(), 1, kVocabulary));
        auto search =
            make_search(std::move(prompt), rules,
                        {.end_token = kEnd, .temperature = temperature, .sequences = sequences});
        int64_t rows = 1;
        for (int i = 0; i < passes; ++i) {
          search->choose(matrix(logits.data(), rows, kVocabulary));
          const auto next = search->advance();
          rows = std::ssize(next);
          model.forward(next, matrix(logits.data(), rows, kVocabulary));
        }
        EXPECT_FALSE(model.sequences.empty());
        search.reset();
        EXPECT_TRUE(model.sequences.empty());
      }
    }
  }
}

}  // namespace
}  // namespace quintet::decode
