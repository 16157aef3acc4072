#include <cstring>
#include <vector>

#include "quintet/io/formats/fuzz_weights.h"
#include "quintet/io/formats/packed.h"

namespace {

constexpr size_t kHeaderBytesAt = 16;
constexpr size_t kFileBytesAt = 24;
constexpr size_t kChecksumAt = 32;
constexpr size_t kFixedBytes = 64;

// Sets the length and the checksum right, which a fuzzer does not guess.
void repair(std::vector<uint8_t>& file) {
  if (file.size() < kFixedBytes) return;
  const uint64_t size = file.size();
  std::memcpy(file.data() + kFileBytesAt, &size, sizeof(size));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data() + kHeaderBytesAt, sizeof(header_bytes));
  if (header_bytes > size - kFixedBytes) return;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < header_bytes; ++i) {
    hash = (hash ^ file[kFixedBytes + i]) * uint64_t{0x100000001b3};
  }
  std::memcpy(file.data() + kChecksumAt, &hash, sizeof(hash));
}

void parse(std::span<const uint8_t> file) {
  if (const auto weights = quintet::io::parse_packed(std::as_bytes(file), "input")) {
    quintet::io::use_all_tensors(*weights);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  parse({data, size});
  std::vector<uint8_t> repaired(data, data + size);
  repair(repaired);
  parse(repaired);
  return 0;
}
