#include <benchmark/benchmark.h>

#include <cmath>

#include "quintet/kernels/mel/mel.h"
#include "quintet/kernels/mel/mel_ref.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

// 30 s of sound on one thread.
void log_mel_clip(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t bins = state.range(0);
  constexpr int64_t kFrames = 3000;
  const std::vector<float> audio = wavy_floats(kFrames * kMelHopSamples, 0.5f);
  std::vector<float> values(static_cast<size_t>(kFrames * bins));
  const MatrixView<float> out = matrix(values.data(), kFrames, bins);
  const MelFilter filter(bins);
  ThreadPool pool(1);
  filter.log_mel(audio, out, pool);
  for (const int64_t frame : {0, 1, 1500, 2999}) {
    const std::vector<double> expected = log_mel_ref(audio, kFrames, frame, bins);
    for (int64_t b = 0; b < bins; ++b) {
      const double got = static_cast<double>(out.row(frame)[b]);
      if (std::abs(got - expected[static_cast<size_t>(b)]) > 1e-5) {
        return state.SkipWithError("wrong value");
      }
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(filter.log_mel(audio, out, pool));
  state.SetItemsProcessed(state.iterations() * kFrames);
}

const bool registered = [] {
  for_each_isa("log_mel", log_mel_clip, {80, 128});
  return true;
}();

}  // namespace
}  // namespace quintet::kernels
