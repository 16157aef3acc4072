// Ten minutes of audio through the network (random weights: the time does not depend on them), and
// its parts. The counter says how many times faster than real time.
#include <benchmark/benchmark.h>

#include <cmath>

#include "quintet/engine/models/silero/test_weights.h"
#include "quintet/engine/speech/voice_activity.h"

namespace quintet::speech {
namespace {

constexpr int64_t kSeconds = 600;

void network(benchmark::State& state) {
  silero::testing::RandomFile file(1);
  const VoiceActivity activity(silero::Network(silero::read_weights(file.file()).value()));
  ThreadPool pool(static_cast<int>(state.range(0)));
  std::vector<float> samples(kSeconds * 16000);
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto t = static_cast<double>(i);
    samples[i] = 0.1F * static_cast<float>(std::sin(t * (0.3 + 1e-6 * t)));
  }
  // The whole and its beginning alone: the same bits.
  const std::vector<float> p = activity.probabilities(samples, pool);
  const std::vector<float> few =
      activity.probabilities(std::span<const float>(samples).first(512 * 7), pool);
  if (p.size() != 18750 || !std::equal(few.begin(), few.end(), p.begin()) || p[0] == p[9000]) {
    return state.SkipWithError("wrong probabilities");
  }
  for (auto _ : state) benchmark::DoNotOptimize(activity.probabilities(samples, pool));
  state.counters["x_real"] = benchmark::Counter(static_cast<double>(kSeconds * state.iterations()),
                                                benchmark::Counter::kIsRate);
}
BENCHMARK(network)
    ->Name("voice_activity/10min/threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Cutting ten minutes of probabilities that go up and down every three seconds.
void cutting(benchmark::State& state) {
  std::vector<float> p(kSeconds * 16000 / kVadChunkSamples);
  for (size_t i = 0; i < p.size(); ++i) p[i] = i % 94 < 80 ? 0.95F : 0.05F;
  const auto samples = std::ssize(p) * kVadChunkSamples;
  if (const auto windows = speech_windows(p, samples);
      windows.size() != 20 || windows.back().end > samples) {
    return state.SkipWithError("wrong windows");
  }
  for (auto _ : state) benchmark::DoNotOptimize(speech_windows(p, samples));
}
BENCHMARK(cutting)->Name("speech_windows/10min")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace quintet::speech
