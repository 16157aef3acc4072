#include "quintet/engine/speech/window_source.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"

namespace quintet::speech {

double AudioWindow::begin_seconds() const {
  return static_cast<double>(begin) / static_cast<double>(io::kAudioRateHz);
}

double AudioWindow::seconds() const {
  return static_cast<double>(samples.size()) / static_cast<double>(io::kAudioRateHz);
}

Result<std::optional<AudioWindow>> TimestampWindows::next() {
  if (waiting_ || ended_) return std::optional<AudioWindow>();
  // One sample more than a window tells whether there is a second one.
  QT_TRY(std::span<const float> samples, reader_.window(begin_, length_ + 1));
  if (samples.empty()) {
    ended_ = true;
    return std::optional<AudioWindow>();
  }
  if (std::ssize(samples) > length_) several_ = true;
  samples = samples.first(std::min(samples.size(), static_cast<size_t>(length_)));
  waiting_ = true;
  return std::optional(AudioWindow{.samples = {samples.begin(), samples.end()}, .begin = begin_});
}

void TimestampWindows::done(const AudioWindow& window, double advance_seconds) {
  QT_CHECK(waiting_);
  waiting_ = false;
  const int64_t advance = std::llround(advance_seconds * static_cast<double>(io::kAudioRateHz));
  begin_ = window.begin + std::clamp<int64_t>(advance, 1, std::ssize(window.samples));
}

SilenceWindows::SilenceWindows(WindowReader& reader, int64_t length, const VoiceActivity& activity,
                               ThreadPool& pool)
    : reader_(reader),
      windows_(activity, reader, pool, {.max_window_ms = length * 1000 / io::kAudioRateHz}) {}

Result<std::optional<AudioWindow>> SilenceWindows::next() {
  QT_TRY(const std::optional<SpeechWindow> window, windows_.next());
  if (!window) {
    ended_ = true;
    return std::optional<AudioWindow>();
  }
  QT_TRY(const std::span<const float> samples,
         reader_.window(window->begin, window->end - window->begin));
  return std::optional(
      AudioWindow{.samples = {samples.begin(), samples.end()}, .begin = window->begin});
}

}  // namespace quintet::speech
