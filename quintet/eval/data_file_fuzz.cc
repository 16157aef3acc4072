#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "quintet/eval/data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto items = quintet::eval::parse_data_file(text, "fuzz.jsonl", "folder");
  if (!items) {
    if (items.error().message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (quintet::eval::groups_by_media(*items).size() != items->size()) std::abort();
  return 0;
}
