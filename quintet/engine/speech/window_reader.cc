#include "quintet/engine/speech/window_reader.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"

namespace quintet::speech {

Result<int64_t> WindowReader::read(std::span<float> out) {
  if (reader_ != nullptr) return reader_->read(out);
  const auto at = static_cast<size_t>(samples_seen());
  const size_t count = std::min(out.size(), samples_.size() - std::min(at, samples_.size()));
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(samples_[at + i])) {
      return Error(Code::kInvalidArgument,
                   "sample " + std::to_string(at + i) + " is not a finite number");
    }
    out[i] = samples_[at + i];
  }
  return static_cast<int64_t>(count);
}

Result<std::span<const float>> WindowReader::window(int64_t start, int64_t count) {
  QT_CHECK_LE(begin_, start);
  const int64_t left_behind = std::min(start - begin_, static_cast<int64_t>(buffer_.size()));
  buffer_.erase(buffer_.begin(), buffer_.begin() + left_behind);
  begin_ += left_behind;
  constexpr int64_t kChunk = 16000;
  std::vector<float> chunk(kChunk);
  while (!ended_ && samples_seen() < start + count) {
    QT_TRY(const int64_t got, read(chunk));
    if (got == 0) ended_ = true;
    buffer_.insert(buffer_.end(), chunk.begin(), chunk.begin() + got);
    if (samples_seen() <= start) {  // Skipping: nothing of it is needed.
      begin_ = samples_seen();
      buffer_.clear();
    }
  }
  const int64_t offset = std::min(start - begin_, static_cast<int64_t>(buffer_.size()));
  const int64_t available = static_cast<int64_t>(buffer_.size()) - offset;
  return std::span<const float>(buffer_).subspan(static_cast<size_t>(offset),
                                                 static_cast<size_t>(std::min(count, available)));
}

double WindowReader::expected_seconds() const {
  if (reader_ == nullptr) {
    return static_cast<double>(samples_.size()) / static_cast<double>(io::kAudioRateHz);
  }
  const io::AudioInfo& info = reader_->info();
  if (info.frames <= 0 || info.sample_rate_hz <= 0) return 0;
  return static_cast<double>(info.frames) / static_cast<double>(info.sample_rate_hz);
}

}  // namespace quintet::speech
