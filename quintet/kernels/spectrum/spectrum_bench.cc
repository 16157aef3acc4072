#include <benchmark/benchmark.h>

#include <cmath>

#include "quintet/kernels/spectrum/spectrum.h"
#include "quintet/kernels/spectrum/spectrum_ref.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

void spectrum_frames(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t rows = state.range(0);
  const std::vector<float> x = wavy_floats(rows * kSpectrumSamples, 0.5f);
  std::vector<float> y(static_cast<size_t>(rows * kSpectrumBins));
  const auto frames = matrix(x.data(), rows, kSpectrumSamples);
  const auto bins = matrix(y.data(), rows, kSpectrumBins);
  magnitude_spectrum(frames, bins);
  const std::vector<double> expected = magnitude_spectrum_ref(x.data());
  for (size_t k = 0; k < expected.size(); ++k) {
    if (std::abs(static_cast<double>(y[k]) - expected[k]) > 1e-3) {
      return state.SkipWithError("wrong magnitude");
    }
  }
  for (auto _ : state) {
    magnitude_spectrum(frames, bins);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows);
}

const bool registered = [] {
  for_each_isa("magnitude_spectrum", spectrum_frames, {48});
  return true;
}();

}  // namespace
}  // namespace quintet::kernels
