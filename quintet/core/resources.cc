#include "quintet/core/resources.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace quintet {

uint64_t peak_resident_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB.
}

std::optional<double> package_energy_joules() {
  double joules = 0;
  bool found = false;
  for (int package = 0; package < 16; ++package) {
    std::ifstream file("/sys/class/powercap/intel-rapl:" + std::to_string(package) + "/energy_uj");
    double microjoules = 0;
    if (!(file >> microjoules)) break;
    joules += microjoules * 1e-6;
    found = true;
  }
  if (!found) return std::nullopt;
  return joules;
}

}  // namespace quintet
