#include <benchmark/benchmark.h>

#include <cmath>

#include "quintet/kernels/norm/norm.h"
#include "quintet/kernels/norm/norm_ref.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

void layer_norm_row(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t n = state.range(0);
  const std::vector<float> x = wavy_floats(n, 3.0f);
  const std::vector<float> gamma = wavy_floats(n, 1.0f);
  const std::vector<float> beta = wavy_floats(n, 0.5f);
  std::vector<float> y(x.size());
  layer_norm(x.data(), gamma.data(), beta.data(), 1e-5f, y.data(), n);
  const std::vector<double> expected = layer_norm_ref(x, gamma, beta, 1e-5);
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::abs(static_cast<double>(y[i]) - expected[i]) > 1e-5) {
      return state.SkipWithError("wrong value");
    }
  }
  for (auto _ : state) {
    layer_norm(x.data(), gamma.data(), beta.data(), 1e-5f, y.data(), n);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

const bool registered = [] {
  for_each_isa("layer_norm", layer_norm_row, {384, 512, 1280});
  return true;
}();

}  // namespace
}  // namespace quintet::kernels
