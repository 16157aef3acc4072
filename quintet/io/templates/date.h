// A date as text.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "quintet/core/result.h"

namespace quintet::io::templates {

// strftime in the "C" locale, whatever locale the process has. `%-d` and the like leave out the
// zero in front. Errors: kUnsupported for a conversion that is not known.
Result<std::string> format_date(std::chrono::local_seconds time, std::string_view format);

}  // namespace quintet::io::templates
