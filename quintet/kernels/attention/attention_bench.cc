#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>

#include "quintet/core/aligned.h"
#include "quintet/kernels/attention/attention.h"
#include "quintet/kernels/attention/attention_ref.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

constexpr int64_t kHeadWidth = 64;

void attend_head(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t n = state.range(0);
  const std::vector<float> q = wavy_floats(kHeadWidth, 0.3f);
  const std::vector<float> keys = wavy_floats(n * kHeadWidth, 1.0f);
  const std::vector<float> values = wavy_floats(n * kHeadWidth, 2.0f);
  std::vector<const float*> k;
  std::vector<const float*> v;
  for (int64_t i = 0; i < n; ++i) {
    k.push_back(keys.data() + i * kHeadWidth);
    v.push_back(values.data() + i * kHeadWidth);
  }
  std::vector<float> scores(static_cast<size_t>(n));
  std::vector<float> out(kHeadWidth);
  attend(q.data(), k.data(), v.data(), n, kHeadWidth, scores.data(), out.data());
  const std::vector<double> expected =
      attend_ref(q, matrix(keys.data(), n, kHeadWidth), matrix(values.data(), n, kHeadWidth));
  for (size_t c = 0; c < out.size(); ++c) {
    if (std::abs(static_cast<double>(out[c]) - expected[c]) > 1e-4) {
      return state.SkipWithError("wrong output");
    }
  }
  for (auto _ : state) {
    attend(q.data(), k.data(), v.data(), n, kHeadWidth, scores.data(), out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * kHeadWidth * 2 * 4);
}

template <WeightFormat kFormat, bool kKeys>
void pack_head(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t n = state.range(0);
  // One head of eight: rows are cut from wider ones, as in an encoder.
  constexpr int64_t kStride = 8 * kHeadWidth;
  const std::vector<float> source = wavy_floats(n * kStride, 1.0f);
  const MatrixView<const float> rows = {source.data(), n, kHeadWidth, kStride};
  const int64_t channels = kKeys ? n : kHeadWidth;
  const int64_t depth = kKeys ? kHeadWidth : n;
  AlignedBytes panels(static_cast<size_t>(packed_bytes(kFormat, channels, depth)));
  const auto pack = kKeys ? pack_keys : pack_values;
  pack(kFormat, rows, panels.data());
  const std::vector<uint32_t> expected =
      panels_ref(kFormat, channels, depth, [&](int64_t channel, int64_t k) {
        return kKeys ? rows.row(channel)[k] : rows.row(k)[channel];
      });
  if (std::memcmp(panels.data(), expected.data(), panels.size()) != 0) {
    return state.SkipWithError("wrong panels");
  }
  for (auto _ : state) {
    pack(kFormat, rows, panels.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * kHeadWidth * 4);
}

const bool registered = [] {
  for_each_isa("attend", attend_head, {448, 1500});
  for_each_isa("pack_keys/f32", pack_head<WeightFormat::kF32, true>, {1500});
  for_each_isa("pack_keys/bf16", pack_head<WeightFormat::kBF16, true>, {1500});
  for_each_isa("pack_values/f32", pack_head<WeightFormat::kF32, false>, {1500});
  for_each_isa("pack_values/bf16", pack_head<WeightFormat::kBF16, false>, {1500});
  return true;
}();

}  // namespace
}  // namespace quintet::kernels
