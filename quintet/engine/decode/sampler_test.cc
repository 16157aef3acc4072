#include "quintet/engine/decode/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "quintet/core/file.h"
#include "quintet/kernels/softmax/softmax_ref.h"

namespace quintet::decode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingOptions options_of(const nlohmann::json& item) {
  SamplingOptions options;
  options.temperature = item.value("temperature", 0.0f);
  options.top_k = item.value("top_k", int64_t{0});
  options.top_p = item.value("top_p", 1.0f);
  options.min_p = item.value("min_p", 0.0f);
  options.repetition_penalty = item.value("repetition_penalty", 1.0f);
  options.logit_bias = item.value("logit_bias", decltype(options.logit_bias){});
  return options;
}

std::map<int32_t, float> shares(Sampler& sampler, std::span<const float> logits) {
  const auto found = sampler.distribution(logits);
  EXPECT_TRUE(found.has_value());
  double total = 0;
  for (const auto& c : *found) total += static_cast<double>(c.probability);
  std::map<int32_t, float> of;
  for (const auto& c : *found) {
    of[c.token] = static_cast<float>(static_cast<double>(c.probability) / total);
  }
  return of;
}

std::map<int32_t, float> shares(const SamplingOptions& options, std::span<const float> logits) {
  Sampler sampler(options, {});
  return shares(sampler, logits);
}

int32_t chosen(Sampler& sampler, std::span<const float> logits) {
  const auto choice = sampler.choose(logits);
  EXPECT_TRUE(choice.has_value()) << choice.error().message();
  return choice.has_value() ? choice->token : -1;
}

TEST(Sampler, KeepsTheTokensAndProbabilitiesOfHuggingFacesProcessors) {
  const auto text = read_file(QUINTET_SOURCE_DIR "/tests/goldens/sampling/warpers.json", 1 << 20);
  ASSERT_TRUE(text.has_value());
  const auto goldens = nlohmann::json::parse(*text);
  const auto prompt = goldens["prompt"].get<std::vector<int32_t>>();
  ASSERT_GT(goldens["cases"].size(), 50u);
  for (const auto& item : goldens["cases"]) {
    const auto logits = goldens["logits"][item["row"].get<size_t>()].get<std::vector<float>>();
    Sampler sampler(options_of(item), prompt);
    const auto found = shares(sampler, logits);
    const auto tokens = item["tokens"].get<std::vector<int32_t>>();
    ASSERT_EQ(found.size(), tokens.size()) << item;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const float expected = item["probabilities"][i].get<float>();
      ASSERT_TRUE(found.contains(tokens[i])) << item;
      // Differences of logits are below 20 and off by 2^-24 of that, as is the temperature of 0.4
      // that divides them: 6e-6; the exponential and the sum by 2e-7.
      EXPECT_NEAR(found.at(tokens[i]), expected, 7e-6f * expected) << item;
    }
  }
}

TEST(Sampler, TakesTheLikeliestTokenAndTheFirstOfEquals) {
  Sampler sampler({}, {});
  EXPECT_EQ(chosen(sampler, std::vector<float>{1, 3, 2, 3}), 1);
}

TEST(Sampler, DrawsEveryTokenAsOftenAsItsProbabilitySays) {
  // Above, within and below what blocks of the search hold.
  std::vector<float> logits(1000, -9.0f);
  for (const size_t token : {0u, 255u, 256u, 700u, 999u}) logits[token] = 1.0f;
  const std::vector<double> expected = kernels::softmax_ref(logits);
  constexpr int kDraws = 20000;
  for (const float top_p : {1.0f, 0.99f}) {
    Sampler sampler({.temperature = 1, .top_p = top_p, .seed = 11}, {});
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(chosen(sampler, logits))];
    for (size_t t = 0; t < logits.size(); ++t) {
      // Five standard deviations of a binomial count, and one draw for the rare.
      const double mean = expected[t] * kDraws;
      EXPECT_NEAR(counts[t], mean, 5 * std::sqrt(mean) + 1 + 0.01 * mean) << t << " " << top_p;
    }
  }
}

TEST(Sampler, DrawsFromAFlatVocabularyWithoutABias) {
  const std::vector<float> logits(64, 0.0f);
  Sampler sampler({.temperature = 0.7f, .seed = 5}, {});
  std::vector<int> counts(logits.size());
  constexpr int kDraws = 64 * 1000;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(chosen(sampler, logits))];
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - 1000.0, 2) / 1000;
  // 63 degrees of freedom: mean 63, deviation sqrt(126). Five deviations either way: draws that are
  // too even are not random either.
  EXPECT_NEAR(chi_square, 63, 5 * std::sqrt(126.0));
}

TEST(Sampler, ASeedGivesTheSameTokensAndAnotherSeedOthers) {
  std::vector<float> logits(500);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  const auto tokens = [&](uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed}, {});
    std::vector<int32_t> all;
    for (int i = 0; i < 20; ++i) all.push_back(chosen(sampler, logits));
    return all;
  };
  EXPECT_EQ(tokens(1), tokens(1));
  EXPECT_NE(tokens(1), tokens(2));
  EXPECT_EQ(tokens(1).front(), 284);  // On every machine.
}

TEST(Sampler, VanishingTemperaturesAreGreedy) {
  // 3 / 1e-39 is infinite in float32.
  for (const float temperature : {1e-3f, 1e-39f}) {
    EXPECT_THAT(shares({.temperature = temperature}, std::vector<float>{0, 3, 2.9f}),
                ElementsAre(Pair(1, 1.0f)));
  }
}

TEST(Sampler, NeverDrawsWhatIsForbidden) {
  std::vector<float> logits(100, kForbidden);
  logits[70] = -50;
  for (const SamplingOptions& options :
       {SamplingOptions{.temperature = 2}, SamplingOptions{.temperature = 2, .top_k = 10},
        SamplingOptions{.temperature = 2, .top_p = 0.9f}, SamplingOptions{.top_log_probs = 3}}) {
    Sampler sampler(options, {});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(chosen(sampler, logits), 70);
  }
}

TEST(Sampler, TopPOfZeroKeepsOneToken) {
  EXPECT_THAT(shares({.temperature = 1, .top_p = 0}, std::vector<float>{0, 3, 2.9f}),
              ElementsAre(Pair(1, 1.0f)));
}

TEST(Sampler, TopKKeepsWhatEqualsTheLast) {
  const auto kept = shares({.temperature = 1, .top_k = 2}, std::vector<float>{1, 3, 1, 0});
  EXPECT_EQ(kept.size(), 3u);
  EXPECT_FALSE(kept.contains(3));
}

TEST(Sampler, TopPKeepsTheLowerNumbersOfEquals) {
  const auto kept = shares({.temperature = 1, .top_p = 0.4975f}, std::vector<float>(200, 1.0f));
  ASSERT_EQ(kept.size(), 100u);
  EXPECT_EQ(kept.rbegin()->first, 99);
}

TEST(Sampler, PresenceAndFrequencyCountTheAnswerAndNotThePrompt) {
  const std::vector<float> logits = {1, 1, 1, 1};
  const std::vector<int32_t> prompt = {0, 0, 1};
  Sampler sampler({.temperature = 1, .presence_penalty = 0.5f, .frequency_penalty = 0.25f}, prompt);
  sampler.accept(1);
  sampler.accept(2);
  sampler.accept(2);
  const auto found = shares(sampler, logits);
  EXPECT_FLOAT_EQ(found.at(3), found.at(0));
  EXPECT_NEAR(std::log(found.at(0) / found.at(1)), 0.75f, 1e-5f);
  EXPECT_NEAR(std::log(found.at(0) / found.at(2)), 1.0f, 1e-5f);
}

TEST(Sampler, TheRepetitionPenaltyCountsPromptAndAnswerOnceEach) {
  const std::vector<int32_t> prompt = {0, 0, -1, 9};  // The last two have no logit.
  Sampler sampler({.temperature = 1, .repetition_penalty = 2}, prompt);
  sampler.accept(1);
  sampler.accept(1);
  const auto found = shares(sampler, std::vector<float>{4, -2, 0});
  EXPECT_NEAR(std::log(found.at(0) / found.at(2)), 2.0f, 1e-5f);
  EXPECT_NEAR(std::log(found.at(1) / found.at(2)), -4.0f, 1e-5f);
}

TEST(Sampler, PenaltiesAndBiasesChangeTheLikeliestToken) {
  const std::vector<float> logits = {2, 1.9f, 0};
  Sampler penalised({.frequency_penalty = 0.2f}, {});
  EXPECT_EQ(chosen(penalised, logits), 0);
  penalised.accept(0);
  EXPECT_EQ(chosen(penalised, logits), 1);
  Sampler biased({.logit_bias = {{2, 2.0f}, {2, 1.0f}, {0, kForbidden}}}, {});
  EXPECT_EQ(chosen(biased, logits), 2);
}

TEST(Sampler, ReportsLogProbabilitiesOfTheModelItself) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f), kForbidden};
  Sampler sampler({.temperature = 0.1f, .top_k = 1, .logit_bias = {{2, 50.0f}}, .top_log_probs = 4},
                  {});
  const auto choice = sampler.choose(logits);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->token, 2);
  EXPECT_NEAR(choice->log_prob, std::log(0.2f), 1e-6f);
  ASSERT_EQ(choice->top.size(), 3u);
  EXPECT_EQ(choice->top[0].first, 0);
  EXPECT_NEAR(choice->top[0].second, std::log(0.5f), 1e-6f);
  EXPECT_EQ(choice->top[2].first, 2);
}

TEST(Sampler, FindsTheTopLogProbabilitiesOfALongRow) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i * 7919 % 5000) / 500;
  Sampler sampler({.top_log_probs = 200}, {});
  const auto choice = sampler.choose(logits);
  ASSERT_TRUE(choice.has_value());
  ASSERT_EQ(choice->top.size(), 200u);
  EXPECT_EQ(choice->top[0].first, choice->token);
  for (size_t i = 0; i < 200; ++i) {
    const auto& [token, log_prob] = choice->top[i];
    EXPECT_EQ(token * 7919 % 5000, 4999 - static_cast<int32_t>(i));
    EXPECT_NEAR(log_prob - choice->log_prob, -static_cast<float>(i) / 500, 1e-5f);
  }
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnErrorAndNeverAToken) {
  for (const float wrong : {kNan, -kNan, std::numeric_limits<float>::infinity()}) {
    for (const float temperature : {0.0f, 1.0f}) {
      for (const size_t at : {0u, 57u, 99u}) {
        std::vector<float> logits(100, 1.0f);
        logits[at] = wrong;
        const auto choice = Sampler({.temperature = temperature}, {}).choose(logits);
        ASSERT_FALSE(choice.has_value());
        EXPECT_EQ(choice.error().code(), Code::kCorrupt);
        EXPECT_THAT(choice.error().message(), HasSubstr("token " + std::to_string(at) + " is "));
      }
    }
  }
}

TEST(Sampler, RefusesWhereEveryTokenIsForbidden) {
  const std::vector<float> logits(10, kForbidden);
  for (const float temperature : {0.0f, 1.0f}) {
    const auto choice = Sampler({.temperature = temperature}, {}).choose(logits);
    ASSERT_FALSE(choice.has_value());
    EXPECT_THAT(choice.error().message(), HasSubstr("every token is forbidden"));
  }
  Sampler biased({.logit_bias = {{0, kForbidden}}}, {});
  EXPECT_FALSE(biased.choose(std::vector<float>{1}).has_value());
}

TEST(Sampler, RefusesPenaltiesThatOverflow) {
  Sampler sampler({.repetition_penalty = 0.01f}, std::vector<int32_t>{0});
  const auto choice = sampler.choose(std::vector<float>{1e37f, 0});
  ASSERT_FALSE(choice.has_value());
  EXPECT_THAT(choice.error().message(), HasSubstr("repetition_penalty"));
}

TEST(Sampler, SaysHowManyOfTheLargestLogitsHaveToBeExact) {
  const auto exact = [](const SamplingOptions& o) { return Sampler(o, {}).exact_logits(); };
  EXPECT_EQ(exact({}), 1);
  EXPECT_EQ(exact({.top_p = 0.5f, .top_log_probs = 5}), 5);
  EXPECT_EQ(exact({.temperature = 1, .top_k = 40, .top_p = 0.9f}), 40);
  EXPECT_EQ(exact({.temperature = 1}), std::nullopt);
  EXPECT_EQ(exact({.temperature = 1, .top_p = 0.9f}), std::nullopt);
  EXPECT_EQ(exact({.presence_penalty = 1}), std::nullopt);
  EXPECT_EQ(exact({.logit_bias = {{1, 1.0f}}}), std::nullopt);
}

TEST(SamplingOptions, ErrorsNameTheOptionAndItsValues) {
  const auto message = [](const SamplingOptions& options) {
    const auto checked = check(options, 100);
    return checked.has_value() ? std::string() : checked.error().message();
  };
  EXPECT_THAT(message({}), IsEmpty());
  EXPECT_THAT(message({.temperature = -1}), HasSubstr("temperature has to be 0 or more"));
  EXPECT_THAT(message({.temperature = kNan}), HasSubstr("temperature"));
  EXPECT_THAT(message({.top_k = -1}), HasSubstr("top_k has to be 0"));
  EXPECT_THAT(message({.top_p = 1.5f}), HasSubstr("top_p has to lie from 0 to 1, not be 1.5"));
  EXPECT_THAT(message({.min_p = kNan}), HasSubstr("min_p has to lie"));
  EXPECT_THAT(message({.repetition_penalty = 0}),
              HasSubstr("repetition_penalty has to lie from 0.01 to 100"));
  EXPECT_THAT(message({.presence_penalty = 3}), HasSubstr("presence_penalty has to lie from -2"));
  EXPECT_THAT(message({.frequency_penalty = -3}), HasSubstr("frequency_penalty"));
  EXPECT_THAT(message({.logit_bias = {{100, 1.0f}}}), HasSubstr("logit_bias names token 100"));
  EXPECT_THAT(message({.logit_bias = {{1, 101.0f}}}), HasSubstr("logit_bias has to lie from -100"));
  EXPECT_THAT(message({.logit_bias = {{1, kForbidden}}}), IsEmpty());
  EXPECT_THAT(message({.top_log_probs = 101}), HasSubstr("top_log_probs has to lie from 0 to 100"));
}

}  // namespace
}  // namespace quintet::decode
