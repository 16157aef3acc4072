// What the processor can do, and which level of it the kernels use.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace quintet {

// Levels of instruction set that kernels are written for, in rising order.
enum class Isa {
  kBase,        // x86-64-v2: SSE4.2. Every processor that the project supports.
  kAvx2,        // AVX2, FMA, F16C.
  kAvxVnni,     // kAvx2 and AVX-VNNI (256-bit vpdpbusd): client processors since Alder Lake.
  kAvx512,      // AVX-512 F, BW, DQ, VL and VNNI: servers since Cascade Lake, Zen 4.
  kAvx512Bf16,  // kAvx512 and AVX512_BF16: Cooper Lake, Sapphire Rapids, Zen 4.
};
inline constexpr std::array kAllIsas = {Isa::kBase, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512,
                                        Isa::kAvx512Bf16};

// "base", "avx2", "avx_vnni", "avx512", "avx512_bf16".
std::string_view isa_name(Isa isa);

// True where processor and operating system support everything that level `isa` uses.
bool cpu_supports(Isa isa);

// Supported levels, rising. kAvxVnni can be missing below kAvx512.
std::vector<Isa> supported_isas();

// The best supported level, or the one that QUINTET_FORCE_ISA names. Decided once.
// An unknown or unsupported name in QUINTET_FORCE_ISA ends the program with exit code 2 and one
// line: continuing at another level would measure something other than what was asked for.
Isa active_isa();

// Makes active_isa() return `isa` from now on. For tests; not safe while kernels run.
// REQUIRES: cpu_supports(isa).
void set_active_isa(Isa isa);

// Size of the data cache of `level`, 2 or 3, that the first processor uses; 1 MiB and 32 MiB where
// the system does not say. Virtual machines may show more than their share.
int64_t cache_bytes(int level);

}  // namespace quintet
