// Tokens per second of SmolLM2-135M in the folder QUINTET_TEST_MODELS: prompt, one sequence,
// several sequences.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "quintet/core/env.h"
#include "quintet/engine/models/language/decoder.h"
#include "quintet/engine/models/language/model.h"

namespace quintet::language {
namespace {

ThreadPool& pool() {
  static ThreadPool threads(2);
  return threads;
}

const Model& model_of(Precision precision) {
  static std::map<Precision, std::unique_ptr<Model>> models;
  auto& model = models[precision];
  if (!model) {
    const auto folder = env("QUINTET_TEST_MODELS").value_or(".");
    auto loaded = load_model(std::filesystem::path(folder) / "smollm2-135m", precision, pool());
    if (!loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message().c_str());
      std::exit(1);
    }
    model = *std::move(loaded);
  }
  return *model;
}

std::vector<int32_t> random_tokens(int64_t count, int64_t vocabulary) {
  std::mt19937 engine(1);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<int32_t>(engine() % static_cast<uint32_t>(vocabulary)));
  }
  return tokens;
}

void prefill(Session& session, const decode::Sequence& sequence, std::span<const int32_t> tokens,
             MatrixView<float> logits) {
  std::vector<decode::StepRow> rows;
  for (const int32_t token : tokens) {
    rows.push_back({sequence.id(), token, std::ssize(rows) + 1 == std::ssize(tokens), false});
  }
  if (!session.decoder().reserve(sequence.id(), std::ssize(rows))) std::abort();
  session.decoder().forward(rows, logits);
}

void BM_Prefill(benchmark::State& state) {
  const Model& model = model_of(static_cast<Precision>(state.range(0)));
  Session session(model, pool(), {.reuse_prefixes = false});
  const auto tokens = random_tokens(state.range(1), model.config.vocabulary);
  std::vector<float> logits(static_cast<size_t>(model.config.vocabulary));
  for (auto _ : state) {
    const auto sequence = session.decoder().begin();
    prefill(session, sequence, tokens, matrix(logits.data(), 1, std::ssize(logits)));
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetLabel(std::string(precision_name(static_cast<Precision>(state.range(0)))));
}

// range(1) sequences, each with a past of range(2) tokens, 32 more tokens each.
void BM_Decode(benchmark::State& state) {
  const Model& model = model_of(static_cast<Precision>(state.range(0)));
  Session session(model, pool(), {.reuse_prefixes = false});
  const int64_t sequences = state.range(1);
  const auto tokens = random_tokens(state.range(2), model.config.vocabulary);
  std::vector<float> logits(static_cast<size_t>(sequences * model.config.vocabulary));
  std::vector<decode::Sequence> running;
  for (int64_t i = 0; i < sequences; ++i) {
    running.push_back(session.decoder().begin());
    prefill(session, running.back(), tokens, matrix(logits.data(), 1, model.config.vocabulary));
  }
  constexpr int64_t kTokens = 32;
  for (auto _ : state) {
    for (int64_t t = 0; t < kTokens; ++t) {
      std::vector<decode::StepRow> rows;
      for (const auto& sequence : running) {
        if (!session.decoder().reserve(sequence.id(), 1)) std::abort();
        rows.push_back({sequence.id(), tokens[static_cast<size_t>(t)], true, true});
      }
      session.decoder().forward(rows, matrix(logits.data(), sequences, model.config.vocabulary));
      for (size_t i = 0; i < running.size(); ++i) {
        const auto v = static_cast<size_t>(model.config.vocabulary);
        session.decoder().refine(rows[i].sequence, 1, std::span(logits).subspan(i * v, v));
      }
    }
    for (const auto& sequence : running) {
      session.decoder().truncate(sequence.id(), state.range(2));
    }
  }
  state.SetItemsProcessed(state.iterations() * kTokens * sequences);
  state.SetLabel(std::string(precision_name(static_cast<Precision>(state.range(0)))));
}

BENCHMARK(BM_Prefill)
    ->ArgsProduct({{static_cast<int>(Precision::kBF16), static_cast<int>(Precision::kInt8),
                    static_cast<int>(Precision::kInt4)},
                   {32, 832}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_Decode)
    ->ArgsProduct({{static_cast<int>(Precision::kBF16), static_cast<int>(Precision::kInt8),
                    static_cast<int>(Precision::kInt4)},
                   {1, 16},
                   {128}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace quintet::language
