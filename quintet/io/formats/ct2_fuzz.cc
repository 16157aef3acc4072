#include "quintet/io/formats/ct2.h"
#include "quintet/io/formats/fuzz_weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto file = quintet::io::parse_ct2(bytes, "input")) {
    quintet::io::use_all_tensors(*file);
  }
  return 0;
}
