// For benchmarks of kernels: one registration for each instruction set that the processor has.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "quintet/core/cpu.h"

namespace quintet::kernels {

class ForcedIsa {
 public:
  explicit ForcedIsa(Isa isa) { set_active_isa(isa); }
  ~ForcedIsa() { set_active_isa(before_); }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;

 private:
  Isa before_ = active_isa();
};

// Registers "<name>/<isa>/<size>" for every supported level that has a variant of its own.
inline void for_each_isa(const std::string& name, void (*body)(benchmark::State&, Isa),
                         const std::vector<int64_t>& sizes) {
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) {
    if (!cpu_supports(isa)) continue;
    auto* benchmark =
        benchmark::RegisterBenchmark((name + "/" + std::string(isa_name(isa))).c_str(),
                                     [body, isa](benchmark::State& state) { body(state, isa); });
    for (const int64_t size : sizes) benchmark->Arg(size);
  }
}

// Spread evenly enough over [-amplitude, amplitude], without a period.
inline std::vector<float> wavy_floats(int64_t count, float amplitude) {
  std::vector<float> x(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const auto t = static_cast<double>(i);
    x[static_cast<size_t>(i)] = amplitude * static_cast<float>(std::sin(t * (1.7 + 1e-5 * t)));
  }
  return x;
}

}  // namespace quintet::kernels
