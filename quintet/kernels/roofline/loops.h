// The fastest loops of the processor: multiply-adds in registers only, and reading memory without
// doing anything with it. What kernels are measured against; internal to kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quintet/core/cpu.h"
#include "quintet/core/dtype.h"

namespace quintet::kernels {

// `run(steps)` does steps * operations_per_step operations in twelve independent chains.
struct PeakLoop {
  void (*run)(int64_t steps) = nullptr;  // Null: none on this architecture.
  double operations_per_step = 0;        // A multiply-add is two.
};

// The widest multiply-add of level `isa` for products of `type`, kF32, kBF16 or kI8. Without
// vdpbf16ps bfloat16 goes through the float32 loop; without VNNI int8 goes through vpmaddubsw,
// vpmaddwd and vpaddd. The base level multiplies and adds separately.
PeakLoop peak_loop(DType type, Isa isa);

// Reads `bytes` from `data` in registers as wide as the level has.
// REQUIRES: data aligned to 64 bytes, bytes a multiple of kReadStepBytes.
using ReadLoop = void (*)(const std::byte* data, int64_t bytes);
inline constexpr int64_t kReadStepBytes = 512;
ReadLoop read_loop(Isa isa);  // Null: none on this architecture.

}  // namespace quintet::kernels
