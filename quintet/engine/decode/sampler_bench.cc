// One choice from the logits of a vocabulary as large as those of today's language models.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <vector>

#include "quintet/engine/decode/sampler.h"
#include "quintet/kernels/softmax/softmax_ref.h"

namespace quintet::decode {
namespace {

constexpr int64_t kVocabulary = 151936;

// A few likely tokens above normally distributed others, which carry about a tenth together.
std::vector<float> some_logits() {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 2.5f);
  std::vector<float> logits(kVocabulary);
  for (float& x : logits) x = normal(random);
  for (int i = 0; i < 40; ++i) logits[random() % logits.size()] = 17 - 0.3f * static_cast<float>(i);
  return logits;
}

// The likeliest token has the share of the distribution that it has to have: no test in full, but
// a wrong normalisation, temperature or selection shows in it.
bool is_right(const SamplingOptions& options, std::span<const float> logits) {
  Sampler sampler(options, {});
  const auto found = sampler.distribution(logits);
  if (!found.has_value()) return false;
  std::vector<float> kept;
  for (const auto& c : *found) {
    const float logit = logits[static_cast<size_t>(c.token)];
    kept.push_back(options.temperature == 0 ? logit : logit / options.temperature);
  }
  double total = 0;
  for (const auto& c : *found) total += static_cast<double>(c.probability);
  const auto best = static_cast<size_t>(kernels::argmax_ref(kept));
  return (*found)[best].token == kernels::argmax_ref(logits) &&
         std::abs(static_cast<double>((*found)[best].probability) / total -
                  kernels::softmax_ref(kept)[best]) < 1e-5;
}

void choose(benchmark::State& state, const SamplingOptions& options, int64_t answer) {
  const std::vector<float> logits = some_logits();
  if (answer == 0 && !is_right(options, logits)) return state.SkipWithError("wrong distribution");
  Sampler sampler(options, {});
  for (int64_t i = 0; i < answer; ++i) sampler.accept(static_cast<int32_t>(i));
  for (auto _ : state) benchmark::DoNotOptimize(sampler.choose(logits));
}

BENCHMARK_CAPTURE(choose, greedy, SamplingOptions{}, 0);
BENCHMARK_CAPTURE(choose, greedy_top_log_probs, (SamplingOptions{.top_log_probs = 20}), 0);
BENCHMARK_CAPTURE(choose, temperature, (SamplingOptions{.temperature = 0.8f}), 0);
BENCHMARK_CAPTURE(choose, top_k, (SamplingOptions{.temperature = 0.8f, .top_k = 50}), 0);
BENCHMARK_CAPTURE(choose, top_p, (SamplingOptions{.temperature = 0.8f, .top_p = 0.95f}), 0);
BENCHMARK_CAPTURE(choose, top_p_flat, (SamplingOptions{.temperature = 5, .top_p = 0.95f}), 0);
BENCHMARK_CAPTURE(choose, min_p, (SamplingOptions{.temperature = 0.8f, .min_p = 0.05f}), 0);
BENCHMARK_CAPTURE(choose, all_with_penalties_on_1000_tokens,
                  (SamplingOptions{.temperature = 0.8f,
                                   .top_k = 50,
                                   .top_p = 0.95f,
                                   .min_p = 0.05f,
                                   .repetition_penalty = 1.1f,
                                   .frequency_penalty = 0.1f}),
                  1000);

}  // namespace
}  // namespace quintet::decode
