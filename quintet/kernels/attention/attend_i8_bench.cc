#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/attention/attend_i8.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/vec/kernel_benching.h"

namespace quintet::kernels {
namespace {

constexpr int64_t kDim = 64;

// One head of an encoder: as many queries as keys.
void attend_i8_head(benchmark::State& state, Isa isa) {
  const ForcedIsa forced(isa);
  const int64_t n = state.range(0);
  const std::vector<float> values = wavy_floats(n * kDim, 1.0f);
  const auto x = matrix<const float>(values.data(), n, kDim);
  AlignedArray<int8_t> q_bytes(n * kDim), k_bytes(n * kDim);
  std::vector<float> q_scales(static_cast<size_t>(n)), k_scales(q_scales);
  std::vector<int32_t> sums(static_cast<size_t>(n));
  const QuantizedRows q{q_bytes.data(), n, kDim, q_scales.data(), sums.data()};
  std::vector<int32_t> unused(static_cast<size_t>(n));
  const QuantizedRows k{k_bytes.data(), n, kDim, k_scales.data(), unused.data()};
  quantize_rows(x, q);
  quantize_rows(x, k);
  AlignedBytes key_panels(static_cast<size_t>(packed_bytes(WeightFormat::kI8, n, kDim)));
  AlignedBytes value_panels(static_cast<size_t>(packed_bytes(WeightFormat::kI8, kDim, n)));
  AlignedArray<float> key_scales(panel_count(n) * kPanelWidth);
  AlignedArray<float> value_scales(kPanelWidth);
  pack_keys_i8(k, kDim, key_panels.data(), key_scales.data());
  pack_values_i8(x, value_panels.data(), value_scales.data());
  const Int8KeyValues kv{.keys = {WeightFormat::kI8, n, kDim, key_panels.data(), key_scales.data()},
                         .value_panels = value_panels.data(),
                         .value_scales = value_scales.data()};
  std::vector<float> out(static_cast<size_t>(n * kDim));
  const auto y = matrix(out.data(), n, kDim);
  const auto run = [&] {
    for (int64_t i = 0; i < n; i += kInt8QueryBlock) {
      const int64_t rows = std::min(kInt8QueryBlock, n - i);
      attend_i8(q.rows_from(i, rows), kv, y.rows_from(i, rows));
    }
  };
  run();
  for (const float v : out) {
    if (!(std::abs(v) <= 1.01f)) return state.SkipWithError("not a mean of the values");
  }
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  state.counters["Gop/s"] =
      benchmark::Counter(4.0 * static_cast<double>(n) * static_cast<double>(n) * kDim *
                             static_cast<double>(state.iterations()) * 1e-9,
                         benchmark::Counter::kIsRate);
}

const int kRegistered = [] {
  for_each_isa("attend_i8", attend_i8_head, {600, 1500});
  return 0;
}();

}  // namespace
}  // namespace quintet::kernels
