// Any bytes as an audio file: a reader or an error, then finite samples up to the limit or an
// error.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "quintet/io/media/audio.h"

// libsndfile 1.2.0 forgets the vorbis_info (6 KB) of an Ogg file that it refuses.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The limits keep one input short, which is what the fuzzer learns from.
  constexpr size_t kMaxBytes = size_t{64} << 10;
  constexpr int64_t kMaxSamples = 64000;
  if (size > kMaxBytes) return 0;
  const quintet::io::AudioLimits limits{.max_seconds = 60, .max_channels = 8};
  auto reader =
      quintet::io::AudioReader::open(std::as_bytes(std::span(data, size)), "fuzz", limits);
  if (!reader) return 0;
  std::array<float, 1000> samples;
  for (int64_t done = 0; done < kMaxSamples;) {
    const auto n = reader->read(samples);
    if (!n || *n == 0) return 0;
    if (*n < 0 || *n > static_cast<int64_t>(samples.size())) std::abort();
    for (int64_t t = 0; t < *n; ++t) {
      if (!std::isfinite(samples[static_cast<size_t>(t)])) std::abort();
    }
    done += *n;
  }
  return 0;
}
