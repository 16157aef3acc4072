#include "quintet/core/cpu.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "quintet/core/check.h"
#include "quintet/core/env.h"

namespace quintet {
namespace {

// clang 16 does not know "f16c" in __builtin_cpu_supports: CPUID leaf 1, ECX bit 29. (AVX2 below
// stands for what the operating system has to save.)
bool has_f16c_bit() {
#if defined(__x86_64__)
  unsigned eax = 1;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (ecx >> 29) & 1u;
#else
  return false;
#endif
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c_bit();
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

// Neither GCC 12 nor clang 16 knows "avxvnni" in __builtin_cpu_supports: CPUID leaf 7.1, EAX bit 4.
bool has_avx_vnni_bit() {
#if defined(__x86_64__)
  unsigned eax = 7;
  unsigned ebx = 0;
  unsigned ecx = 1;
  unsigned edx = 0;
  unsigned max_leaf = 0;
  __asm__("cpuid" : "=a"(max_leaf), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0), "c"(0));
  if (max_leaf < 7) return false;
  __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(1));
  return (eax >> 4) & 1u;
#else
  return false;
#endif
}

Isa best_isa() {
  const std::vector<Isa> isas = supported_isas();
  return isas.back();
}

Isa choose_isa() {
  const auto forced = env("QUINTET_FORCE_ISA");
  if (!forced) return best_isa();
  std::string known;
  for (const Isa isa : supported_isas()) {
    if (*forced == isa_name(isa)) return isa;
    known += (known.empty() ? "" : ", ") + std::string(isa_name(isa));
  }
  std::fprintf(stderr, "quintet: QUINTET_FORCE_ISA=%s: this processor supports %s\n",
               forced->c_str(), known.c_str());
  std::exit(2);
}

std::atomic<Isa>& active() {
  static std::atomic<Isa> isa{choose_isa()};
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kBase: return "base";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvxVnni: return "avx_vnni";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Bf16: return "avx512_bf16";
  }
  return "?";
}

bool cpu_supports(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kBase: return true;
    case Isa::kAvx2: return has_avx2();
    case Isa::kAvxVnni: return has_avx2() && has_avx_vnni_bit();
    case Isa::kAvx512: return has_avx512();
    case Isa::kAvx512Bf16: return has_avx512() && __builtin_cpu_supports("avx512bf16");
  }
  return false;
#else
  return isa == Isa::kBase;
#endif
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : kAllIsas) {
    if (cpu_supports(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa active_isa() { return active().load(std::memory_order_relaxed); }

void set_active_isa(Isa isa) {
  QT_CHECK(cpu_supports(isa));
  active().store(isa, std::memory_order_relaxed);
}

}  // namespace quintet
