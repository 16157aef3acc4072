// Eight bytes of options, then a probability per byte: bytes from 250 on repeat the one before 16
// times, so that short inputs reach long recordings.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "quintet/engine/speech/test_windows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quintet::speech;
  constexpr size_t kHeader = 8;
  constexpr size_t kMost = 1 << 16;
  if (size < kHeader) return 0;
  VadOptions options;
  options.exit_threshold = static_cast<float>(data[0]) / 255.0F;
  options.min_speech_ms = data[1] * 4;
  options.min_silence_ms = data[2] * 4;
  options.padding_ms = data[3] * 4;
  options.max_window_ms = 1000 + data[4] * 200;
  options.long_silence_ms = data[5] * 40;
  std::vector<float> probabilities;
  for (size_t i = kHeader; i < size && probabilities.size() < kMost; ++i) {
    const bool repeats = data[i] >= 250 && !probabilities.empty();
    const float p = repeats ? probabilities.back() : static_cast<float>(data[i]) / 249.0F;
    probabilities.insert(probabilities.end(), repeats ? 16 : 1, p);
  }
  const auto full = static_cast<int64_t>(probabilities.size()) * kVadChunkSamples;
  const int64_t missing = probabilities.empty() ? 0 : (data[6] * 2) % kVadChunkSamples;
  testing::checked_windows(probabilities, full - missing, options, data[7] + size_t{1});
  return 0;
}
