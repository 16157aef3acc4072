// What the process has used: memory, and energy where the machine says.
#pragma once

#include <cstdint>
#include <optional>

namespace quintet {

// Largest resident memory so far, in bytes.
uint64_t peak_resident_bytes();

// Energy counter of the processor packages in joules, from powercap (RAPL); it only rises but wraps
// around. nullopt where there is none or it may not be read: most virtual machines, and without
// privileges since Linux 5.10.
std::optional<double> package_energy_joules();

}  // namespace quintet
