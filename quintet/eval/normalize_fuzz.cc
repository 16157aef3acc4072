#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "quintet/eval/metrics.h"
#include "quintet/eval/normalize.h"
#include "quintet/io/tokenizers/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view language : {"en", "de", "zh"}) {
    const std::string normal = quintet::eval::normalize_text(text, language);
    if (quintet::io::valid_utf8_bytes(normal) != normal.size()) std::abort();
    if (normal.starts_with(' ') || normal.ends_with(' ')) std::abort();
  }
  if (quintet::eval::exact_match(text, text, "en").numerator != 1) std::abort();
  return 0;
}
