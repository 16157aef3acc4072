// What a request gets is the same however it is run: alone, among others, in parts, after a kept
// prefix, with tokens run ahead, in a cache that does not hold all of them.
#include "quintet/engine/text/generation_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "quintet/io/formats/weight_file.h"

namespace quintet::text {
namespace {

using Tokens = std::vector<int32_t>;

std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(QUINTET_SOURCE_DIR) / "tests/goldens" / ("tiny-" + name);
}

Tokens tokens_of(const TensorRef& tensor) {
  const std::vector<float> values = io::to_f32(tensor).value();
  return {values.begin(), values.end()};
}

// Tokens that depend on `which`.
Tokens prompt_of(int64_t length, uint32_t which) {
  Tokens prompt;
  uint32_t state = 977 * (which + 1);
  while (std::ssize(prompt) < length) {
    state = state * 1664525 + 1013904223;
    prompt.push_back(static_cast<int32_t>(3 + (state >> 16) % 500));
  }
  return prompt;
}

// The same few tokens again and again.
Tokens repeating_prompt(int64_t length) {
  Tokens prompt;
  for (int64_t i = 0; i < length; ++i) prompt.push_back(static_cast<int32_t>(100 + i % 5));
  return prompt;
}

GenerateRequest request_of(Tokens prompt, int64_t new_tokens, bool speculate = false) {
  return {.prompt = std::move(prompt),
          .options = {.max_new_tokens = new_tokens, .ignore_end = true, .speculate = speculate}};
}

std::vector<Result<Generation>> run_all(const language::Model& model, language::Session& session,
                                        const std::vector<GenerateRequest>& requests) {
  std::vector<std::optional<Result<Generation>>> results(requests.size());
  std::shared_ptr<const decode::VocabularyTrie> vocabulary;
  GenerationLoop loop(model, session, vocabulary);
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto added =
        loop.add(requests[i], [&, i](Result<Generation> r) { results[i].emplace(std::move(r)); });
    if (!added) results[i].emplace(added.error());
  }
  while (!loop.idle()) loop.step();
  std::vector<Result<Generation>> all;
  for (auto& result : results) all.push_back(*std::move(result));
  return all;
}

Result<Generation> run_one(const language::Model& model, language::Session& session,
                           const GenerateRequest& request) {
  return run_all(model, session, {request}).front();
}

class EveryModel : public testing::TestWithParam<std::tuple<std::string, Precision>> {
 protected:
  void SetUp() override {
    const auto& [family, precision] = GetParam();
    model_ = language::load_model(golden_folder(family), precision, pool_).value();
  }

  // Eight of different lengths.
  std::vector<GenerateRequest> requests(bool speculate = false) const {
    std::vector<GenerateRequest> all;
    for (const int64_t length : {1, 2, 17, 63, 64, 65, 128, 150}) {
      all.push_back(request_of(prompt_of(length, static_cast<uint32_t>(length)), 20, speculate));
    }
    return all;
  }

  // Each in a session of its own.
  std::vector<Tokens> alone(const std::vector<GenerateRequest>& requests) {
    std::vector<Tokens> all;
    for (const GenerateRequest& request : requests) {
      language::Session session(*model_, pool_);
      all.push_back(run_one(*model_, session, request).value().tokens);
    }
    return all;
  }

  void expect_tokens(const std::vector<Result<Generation>>& results,
                     const std::vector<Tokens>& expected) {
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(results[i]) << i << ": " << results[i].error().message();
      EXPECT_EQ(results[i].value().tokens, expected[i]) << i;
    }
  }

  ThreadPool pool_{2};
  std::unique_ptr<language::Model> model_;
};

INSTANTIATE_TEST_SUITE_P(Models, EveryModel,
                         testing::Combine(testing::Values("llama", "llama3-rope", "qwen2", "qwen3",
                                                          "gemma3-text"),
                                          testing::Values(Precision::kF32, Precision::kBF16,
                                                          Precision::kInt8, Precision::kInt4)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::erase(name, '-');
                           return name + "_" + std::string(precision_name(std::get<1>(test.param)));
                         });

TEST_P(EveryModel, GivesABatchTheTokensOfEachAlone) {
  const auto all = requests();
  const auto expected = alone(all);
  language::Session session(*model_, pool_);
  expect_tokens(run_all(*model_, session, all), expected);
}

TEST_P(EveryModel, GivesTheSameTokensAfterAKeptPrefix) {
  const auto all = requests();
  const auto expected = alone(all);
  language::Session session(*model_, pool_);
  expect_tokens(run_all(*model_, session, all), expected);
  const auto again = run_all(*model_, session, all);
  expect_tokens(again, expected);
  EXPECT_EQ(again.front().value().kept_tokens, 0);
  EXPECT_EQ(again.back().value().kept_tokens, 128);  // Of 150: the whole pages.
}

TEST_P(EveryModel, KeepsTheAnswerForAPromptThatGoesOn) {
  language::Session session(*model_, pool_);
  const Tokens first = prompt_of(60, 5);
  const auto answer = run_one(*model_, session, request_of(first, 100)).value();
  Tokens second = first;
  second.insert(second.end(), answer.tokens.begin(), answer.tokens.end());
  second.push_back(7);
  const auto more = run_one(*model_, session, request_of(second, 10)).value();
  EXPECT_EQ(more.kept_tokens, 128);
  EXPECT_EQ(more.tokens, alone({request_of(second, 10)}).front());
}

TEST_P(EveryModel, GivesTheSameTokensWhenTheyAreRunAhead) {
  std::vector<GenerateRequest> plain = requests();
  std::vector<GenerateRequest> ahead = requests(true);
  plain.push_back(request_of(repeating_prompt(40), 60));
  ahead.push_back(request_of(repeating_prompt(40), 60, true));
  const auto expected = alone(plain);
  language::Session session(*model_, pool_);
  const auto results = run_all(*model_, session, ahead);
  expect_tokens(results, expected);
  EXPECT_GT(results.back().value().drafted_tokens, 0);
  expect_tokens(run_all(*model_, session, ahead), expected);
}

TEST_P(EveryModel, GivesTheSameTokensWhereOnlySomeFitTheCache) {
  const auto expected = alone(requests());
  const auto more = requests(true);
  language::Session large(*model_, pool_);
  const size_t page_bytes = large.decoder().cache().page_bytes();
  for (const size_t pages : {3, 4, 5, 8}) {
    for (const bool reuse : {false, true}) {
      language::Session session(*model_, pool_,
                                {.max_cache_bytes = pages * page_bytes, .reuse_prefixes = reuse});
      expect_tokens(run_all(*model_, session, more), expected);
      EXPECT_LE(session.cache_bytes(), pages * page_bytes);
    }
  }
}

class Llama : public testing::Test {
 protected:
  Result<Generation> run(const GenerateRequest& request) {
    return run_one(*model_, session_, request);
  }

  ThreadPool pool_{2};
  std::unique_ptr<language::Model> model_ =
      language::load_model(golden_folder("llama"), Precision::kF32, pool_).value();
  language::Session session_{*model_, pool_};
  std::shared_ptr<const decode::VocabularyTrie> vocabulary_;
};

TEST_F(Llama, GivesTheTokensOfTheReference) {
  const auto goldens = io::read_weights(golden_folder("llama") / "golden.safetensors").value();
  Tokens greedy = tokens_of(*goldens.find("greedy"));
  const Tokens prompt(greedy.begin(), greedy.begin() + goldens.find("input_ids")->shape[1]);
  greedy.erase(greedy.begin(), greedy.begin() + std::ssize(prompt));
  EXPECT_EQ(run(request_of(prompt, std::ssize(greedy))).value().tokens, greedy);
}

TEST_F(Llama, AcceptsTokensRunAheadWhereTheAnswerRepeatsItself) {
  const auto answer = run(request_of(prompt_of(20, 1), 200, true)).value();
  EXPECT_GT(answer.accepted_tokens, 0);
  EXPECT_GE(answer.drafted_tokens, answer.accepted_tokens);
  EXPECT_EQ(answer.tokens, run(request_of(prompt_of(20, 1), 200)).value().tokens);
}

TEST_F(Llama, ReadsPromptsLongerThanAPassTogether) {
  // 8 x 200 tokens: three passes and more.
  std::vector<GenerateRequest> requests;
  std::vector<Tokens> expected;
  for (uint32_t i = 0; i < 8; ++i) {
    requests.push_back(request_of(prompt_of(200, i), 12));
    expected.push_back(run(requests.back()).value().tokens);
  }
  language::Session session(*model_, pool_);
  const auto results = run_all(*model_, session, requests);
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].value().tokens, expected[i]);
}

TEST_F(Llama, ChoosesTheSameAtRandomWhateverRunsBeside) {
  std::vector<GenerateRequest> requests;
  std::vector<Tokens> expected;
  for (uint32_t i = 0; i < 6; ++i) {
    requests.push_back(request_of(prompt_of(30 + i, i), 40, i % 2 == 0));
    requests.back().options.sampling.temperature = 1;
    requests.back().options.sampling.seed = i;
    expected.push_back(run(requests.back()).value().tokens);
  }
  const size_t page_bytes = session_.decoder().cache().page_bytes();
  for (const size_t pages : {2, 4, 100}) {
    language::Session session(*model_, pool_, {.max_cache_bytes = pages * page_bytes});
    const auto results = run_all(*model_, session, requests);
    for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].value().tokens, expected[i]);
  }
}

TEST_F(Llama, EndsAtItsLength) {
  for (const bool speculate : {false, true}) {
    for (const int64_t length : {1, 2, 9, 60}) {
      const auto answer = run(request_of(repeating_prompt(40), length, speculate)).value();
      EXPECT_EQ(std::ssize(answer.tokens), length);
      EXPECT_EQ(std::ssize(answer.choices), length);
      EXPECT_EQ(answer.reason, FinishReason::kLength);
      EXPECT_EQ(answer.prompt_tokens, 40);
    }
  }
}

TEST_F(Llama, EndsAtAnEndTokenAndLeavesItOut) {
  const Tokens free = run(request_of(prompt_of(20, 1), 30)).value().tokens;
  const int32_t end = free[9];
  const auto first = std::ranges::find(free, end) - free.begin();
  model_->generation.end_tokens = {end};
  for (const bool speculate : {false, true}) {
    GenerateRequest request = request_of(prompt_of(20, 1), 30, speculate);
    request.options.ignore_end = false;
    const auto answer = run(request).value();
    EXPECT_EQ(answer.reason, FinishReason::kEnd);
    EXPECT_EQ(answer.tokens, Tokens(free.begin(), free.begin() + first));
  }
}

TEST_F(Llama, EndsWhereTheContextIsFull) {
  for (const bool speculate : {false, true}) {
    const auto answer = run(request_of(prompt_of(250, 1), 100, speculate)).value();
    EXPECT_EQ(answer.reason, FinishReason::kContext);
    EXPECT_EQ(std::ssize(answer.tokens), 256 - 250 + 1);  // The last one is not run.
  }
}

TEST_F(Llama, EndsWhereTheCacheIsFullTheSameAloneAndAmongOthers) {
  const size_t page_bytes = session_.decoder().cache().page_bytes();
  language::Session session(*model_, pool_, {.max_cache_bytes = 2 * page_bytes});
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 3; ++i) requests.push_back(request_of(prompt_of(100, i), 100, i == 1));
  for (const auto& result : run_all(*model_, session, requests)) {
    EXPECT_EQ(result.value().reason, FinishReason::kContext);
    EXPECT_EQ(std::ssize(result.value().tokens), 128 - 100 + 1);
  }
}

TEST_F(Llama, KeepsTheAnswerSoFarWhenItIsCancelled) {
  const Tokens whole = run(request_of(prompt_of(20, 1), 30)).value().tokens;
  std::stop_source stop;
  GenerateRequest request = request_of(prompt_of(20, 1), 30);
  request.options.stop_token = stop.get_token();
  std::optional<Result<Generation>> result;
  GenerationLoop loop(*model_, session_, vocabulary_);
  ASSERT_TRUE(loop.add(request, [&](Result<Generation> r) { result.emplace(std::move(r)); }));
  for (int i = 0; i < 5; ++i) loop.step();
  stop.request_stop();
  while (!loop.idle()) loop.step();
  EXPECT_EQ(result->value().reason, FinishReason::kCancelled);
  EXPECT_EQ(result->value().tokens, Tokens(whole.begin(), whole.begin() + 5));
}

TEST_F(Llama, CancelsWhatHasNotBegun) {
  std::stop_source stop;
  stop.request_stop();
  GenerateRequest request = request_of(prompt_of(20, 1), 30);
  request.options.stop_token = stop.get_token();
  const auto answer = run(request).value();
  EXPECT_EQ(answer.reason, FinishReason::kCancelled);
  EXPECT_TRUE(answer.tokens.empty());
}

TEST_F(Llama, TakesRequestsWhileOthersRun) {
  const Tokens expected = run(request_of(prompt_of(33, 2), 10)).value().tokens;
  GenerationLoop loop(*model_, session_, vocabulary_);
  std::vector<Tokens> later;
  const auto keep = [&](Result<Generation> r) { later.push_back(r.value().tokens); };
  const auto add_next = [&](const Result<Generation>&) {
    ASSERT_TRUE(loop.add(request_of(prompt_of(33, 2), 10), keep));
  };
  ASSERT_TRUE(loop.add(request_of(prompt_of(90, 1), 30), add_next));
  for (int i = 0; i < 7; ++i) loop.step();
  ASSERT_TRUE(loop.add(request_of(prompt_of(33, 2), 10), keep));
  while (!loop.idle()) loop.step();
  EXPECT_EQ(later, (std::vector<Tokens>{expected, expected}));
}

TEST_F(Llama, RefusesBadRequests) {
  const auto error_of = [&](GenerateRequest request) {
    const auto result = run(request);
    EXPECT_FALSE(result);
    return result ? std::string() : result.error().message();
  };
  EXPECT_EQ(error_of(request_of({}, 10)), "the prompt has no token");
  EXPECT_NE(error_of(request_of({5, 512}, 10)).find("token 512"), std::string::npos);
  EXPECT_NE(error_of(request_of({-1}, 10)).find("token -1"), std::string::npos);
  EXPECT_NE(error_of(request_of({5}, 0)).find("max_new_tokens"), std::string::npos);
  EXPECT_NE(error_of(request_of(prompt_of(256, 1), 10)).find("256 tokens"), std::string::npos);
  GenerateRequest stop = request_of({5}, 10);
  stop.options.stop = {"end", ""};
  EXPECT_FALSE(run(stop));
  GenerateRequest bias = request_of({5}, 10);
  bias.options.sampling.logit_bias = {{512, 1.0f}};
  EXPECT_FALSE(run(bias));
}

TEST_F(Llama, GivesTheOthersTheirAnswersWhereOneIsBad) {
  const Tokens expected = run(request_of(prompt_of(20, 1), 10)).value().tokens;
  GenerateRequest impossible = request_of({5}, 10);
  for (int32_t token = 0; token < 512; ++token) {
    impossible.options.sampling.logit_bias.emplace_back(token,
                                                        -std::numeric_limits<float>::infinity());
  }
  const auto results =
      run_all(*model_, session_, {request_of({}, 1), request_of(prompt_of(20, 1), 10), impossible});
  EXPECT_FALSE(results[0]);
  EXPECT_EQ(results[1].value().tokens, expected);
  EXPECT_FALSE(results[2]);
}

}  // namespace
}  // namespace quintet::text
