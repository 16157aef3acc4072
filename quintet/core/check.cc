#include "quintet/core/check.h"

#include <cstdio>
#include <cstdlib>

namespace quintet::internal {

void check_failed(const char* expression, const std::string& values, std::source_location where) {
  std::fprintf(stderr, "quintet: internal error at %s:%u: %s%s%s\n", where.file_name(),
               static_cast<unsigned>(where.line()), expression, values.empty() ? "" : ": ",
               values.c_str());
  std::abort();
}

}  // namespace quintet::internal
