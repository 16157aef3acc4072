#include "quintet/core/cpu.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "quintet/core/check.h"
#include "quintet/core/env.h"

namespace quintet {
namespace {

struct CpuidWords {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// Zeros where the processor has no such leaf.
CpuidWords cpuid([[maybe_unused]] unsigned leaf, [[maybe_unused]] unsigned subleaf) {
  CpuidWords words;
#if defined(__x86_64__)
  unsigned highest = 0;
  __asm__("cpuid" : "=a"(highest), "=b"(words.ebx), "=c"(words.ecx), "=d"(words.edx) : "a"(0));
  words = {};
  if (leaf > highest) return words;
  __asm__("cpuid"
          : "=a"(words.eax), "=b"(words.ebx), "=c"(words.ecx), "=d"(words.edx)
          : "a"(leaf), "c"(subleaf));
#endif
  return words;
}

// The compilers' __builtin_cpu_supports also asks the operating system whether it keeps the wide
// registers, but not every supported compiler knows these two features by name.
bool has_f16c_bit() { return (cpuid(1, 0).ecx >> 29) & 1u; }
bool has_avx_vnni_bit() { return (cpuid(7, 1).eax >> 4) & 1u; }

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c_bit();
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
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

// The first line of a small file of the system; empty where there is none.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
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

// From sysfs: the C library asks the processor, which inside a virtual machine describes the whole
// host (335 MB where 32 are there).
int64_t cache_bytes(int level) {
  for (int index = 0;; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string found = first_line(folder + "level");
    if (found.empty()) break;
    if (found != std::to_string(level) || first_line(folder + "type") == "Instruction") continue;
    const std::string size = first_line(folder + "size");  // "32768K"
    const int64_t kibibytes = std::strtoll(size.c_str(), nullptr, 10);
    if (kibibytes > 0 && size.back() == 'K') return kibibytes << 10;
  }
  return level == 2 ? int64_t{1} << 20 : int64_t{32} << 20;
}

void set_active_isa(Isa isa) {
  QT_CHECK(cpu_supports(isa));
  active().store(isa, std::memory_order_relaxed);
}

}  // namespace quintet
