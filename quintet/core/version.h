#pragma once

namespace quintet {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace quintet
