// A sliding window over audio that is read as it is needed: memory stays flat for any length.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/media/audio.h"

namespace quintet::speech {

// 16 kHz mono samples, from a file that is being decoded or from memory.
class WindowReader {
 public:
  // The reader or samples must outlive this.
  explicit WindowReader(io::AudioReader& reader) : reader_(&reader) {}
  explicit WindowReader(std::span<const float> samples) : samples_(samples) {}

  // Samples [start, start + count), fewer where the audio ends before. Valid until the next call.
  // REQUIRES: start does not go back.
  // Errors: as AudioReader::read; kInvalidArgument for NaN or infinite samples in memory.
  Result<std::span<const float>> window(int64_t start, int64_t count);

  // Length of all of it, or 0 where the file does not say.
  double expected_seconds() const;

  // Samples seen so far; all of them once a window came back short.
  int64_t samples_seen() const { return begin_ + static_cast<int64_t>(buffer_.size()); }

 private:
  Result<int64_t> read(std::span<float> out);

  io::AudioReader* reader_ = nullptr;
  std::span<const float> samples_;
  int64_t begin_ = 0;          // Absolute index of buffer_[0].
  std::vector<float> buffer_;  // What was read and is not yet left behind.
  bool ended_ = false;
};

}  // namespace quintet::speech
