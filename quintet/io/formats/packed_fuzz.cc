#include <vector>

#include "quintet/io/formats/fuzz_weights.h"
#include "quintet/io/formats/packed.h"

namespace {

void parse(std::span<const uint8_t> file) {
  if (const auto weights = quintet::io::parse_packed(std::as_bytes(file), "input")) {
    quintet::io::use_all_tensors(*weights);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  parse({data, size});
  std::vector<uint8_t> repaired(data, data + size);
  quintet::io::repair_packed(repaired);
  parse(repaired);
  return 0;
}
