#include <benchmark/benchmark.h>

#include <cmath>

#include "quintet/kernels/softmax/softmax.h"
#include "quintet/kernels/softmax/softmax_ref.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

// Rows in turn, as in an encoder: each is read from the second-level cache.
void softmax_rows(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t n = state.range(0);
  constexpr int64_t kRows = 64;
  const std::vector<float> logits = wavy_floats(n * kRows, 5.0f);
  std::vector<float> x = logits;
  softmax(x.data(), n);
  const std::vector<double> expected = softmax_ref(std::span(logits).first(static_cast<size_t>(n)));
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(static_cast<double>(x[i]) - expected[i]) > 1e-6) {
      return state.SkipWithError("wrong probability");
    }
  }
  x = logits;
  int64_t row = 0;
  for (auto _ : state) {
    // In place on what it wrote before: probabilities again, the work is the same.
    softmax(x.data() + row * n, n);
    row = (row + 1) % kRows;
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void log_sum_exp_row(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const std::vector<float> x = wavy_floats(state.range(0), 5.0f);
  const auto n = std::ssize(x);
  if (std::abs(static_cast<double>(log_sum_exp(x.data(), n)) - log_sum_exp_ref(x)) > 1e-5) {
    return state.SkipWithError("wrong sum");
  }
  for (auto _ : state) benchmark::DoNotOptimize(log_sum_exp(x.data(), n));
  state.SetItemsProcessed(state.iterations() * n);
}

void argmax_row(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const std::vector<float> x = wavy_floats(state.range(0), 5.0f);
  const auto n = std::ssize(x);
  if (argmax(x.data(), n) != argmax_ref(x)) return state.SkipWithError("wrong index");
  for (auto _ : state) benchmark::DoNotOptimize(argmax(x.data(), n));
  state.SetItemsProcessed(state.iterations() * n);
}

const bool registered = [] {
  for_each_isa("softmax", softmax_rows, {448, 1500});
  for_each_isa("log_sum_exp", log_sum_exp_row, {51865});
  for_each_isa("argmax", argmax_row, {51865});
  return true;
}();

}  // namespace
}  // namespace quintet::kernels
