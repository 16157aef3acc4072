// The environment, read in one place. docs/environment.md lists every variable.
#pragma once

#include <optional>
#include <string>

namespace quintet {

// The value of `name`; nullopt where it is unset or empty.
std::optional<std::string> env(const char* name);

}  // namespace quintet
