#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/io/catalogue/archive.h"

// Opens the input as an archive and takes out the first members, whatever size they turn out to
// have.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto archive = quintet::io::Archive::open(std::as_bytes(std::span(data, size)));
  if (!archive) return 0;
  for (uint64_t i = 0; i < std::min<uint64_t>(archive->size(), 4); ++i) {
    for (const uint64_t expected : {archive->member_bytes(i), uint64_t{5}}) {
      if (expected > (1 << 20)) continue;
      uint64_t received = 0;
      const auto sink = [&](std::span<const std::byte> bytes) -> quintet::Result<void> {
        received += bytes.size();
        return {};
      };
      const auto result = archive->extract(archive->name(i), expected, sink);
      QT_CHECK_LE(received, expected);
      if (result) QT_CHECK_EQ(received, expected);
    }
  }
  return 0;
}
