#include "quintet/engine/speech/speech_windows.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/io/media/audio.h"

namespace quintet::speech {
namespace {

constexpr int64_t samples_of(int64_t ms) { return ms * io::kAudioRateHz / 1000; }

}  // namespace

SpeechCutter::SpeechCutter(const VadOptions& options)
    : threshold_(options.threshold),
      exit_threshold_(options.exit_threshold),
      min_speech_(samples_of(options.min_speech_ms)),
      min_silence_(samples_of(options.min_silence_ms)),
      padding_(samples_of(options.padding_ms)),
      max_window_(samples_of(options.max_window_ms)),
      // The padding must have been seen before a window ends, and the last chunk may be cut short.
      long_silence_(std::max(samples_of(options.long_silence_ms), padding_ + kVadChunkSamples)) {
  QT_CHECK_LE(1000, options.max_window_ms);
}

void SpeechCutter::add(std::span<const float> probabilities, std::vector<SpeechWindow>& out) {
  for (const float probability : probabilities) step(probability, out);
  constexpr int64_t kStale = 1024;  // Chunks: forgotten by the thousand, not one by one.
  const int64_t needed = (position_ - earliest_begin()) / kVadChunkSamples + 2;
  if (std::ssize(recent_) > needed + kStale) recent_.erase(recent_.begin(), recent_.end() - needed);
}

void SpeechCutter::step(float probability, std::vector<SpeechWindow>& out) {
  const int64_t begin = position_;
  position_ += kVadChunkSamples;
  recent_.push_back(probability);
  if (probability >= threshold_) {
    silence_begin_ = -1;
    if (!speaking_) speech_begin_ = begin;
    speaking_ = true;
  } else if (speaking_ && probability < exit_threshold_) {
    if (silence_begin_ < 0) silence_begin_ = begin;
    if (begin - silence_begin_ >= min_silence_) end_speech(silence_begin_);
  }
  if (speaking_ && speech_end() - speech_begin_ > min_speech_) confirm_speech();
  split_while_too_long(speech_end(), out);
  if (in_window_ && !speaking_ && position_ - spans_.back().end >= long_silence_) {
    emit(spans_.back().end + padding_, out);
    spans_.clear();
    in_window_ = false;
  }
}

void SpeechCutter::finish(int64_t samples, std::vector<SpeechWindow>& out) {
  QT_CHECK_EQ(position_, (samples + kVadChunkSamples - 1) / kVadChunkSamples * kVadChunkSamples);
  if (speaking_ && samples - speech_begin_ > min_speech_) confirm_speech();
  if (speaking_) {
    split_while_too_long(std::min(speech_end(), samples), out);
    end_speech(samples);
  }
  if (in_window_) emit(std::min(spans_.back().end + padding_, samples), out);
  in_window_ = false;
}

int64_t SpeechCutter::earliest_begin() const {
  if (in_window_) return window_begin_;
  return std::max(last_end_, (speaking_ ? speech_begin_ : position_) - padding_);
}

int64_t SpeechCutter::speech_end() const { return silence_begin_ < 0 ? position_ : silence_begin_; }

void SpeechCutter::confirm_speech() {
  if (!in_window_) window_begin_ = earliest_begin();
  in_window_ = true;
  confirmed_ = true;
}

void SpeechCutter::end_speech(int64_t end) {
  if (confirmed_) spans_.push_back({speech_begin_, end});
  speaking_ = false;
  confirmed_ = false;
  silence_begin_ = -1;
}

void SpeechCutter::split_while_too_long(int64_t end, std::vector<SpeechWindow>& out) {
  while (confirmed_ && end - window_begin_ > max_window_) {
    if (spans_.empty()) {
      split_speech(out);
    } else {
      split_at_silence(out);
    }
  }
}

void SpeechCutter::split_at_silence(std::vector<SpeechWindow>& out) {
  const auto silence_after = [&](size_t i) {
    return (i + 1 < spans_.size() ? spans_[i + 1].begin : speech_begin_) - spans_[i].end;
  };
  size_t best = spans_.size() - 1;
  const int64_t last_third = window_begin_ + max_window_ - max_window_ / 3;
  for (size_t i = best; i-- > 0 && spans_[i].end >= last_third;) {
    if (silence_after(i) > silence_after(best)) best = i;
  }
  const int64_t end = spans_[best].end;
  const int64_t silence = silence_after(best);
  emit(end + std::min(padding_, silence / 2), out);
  spans_.erase(spans_.begin(), spans_.begin() + static_cast<int64_t>(best) + 1);
  window_begin_ = std::max(last_end_, end + silence - padding_);
}

void SpeechCutter::split_speech(std::vector<SpeechWindow>& out) {
  // The last chunk may be cut short by the end of the audio.
  const int64_t last = std::min(window_begin_ + max_window_, position_ - kVadChunkSamples);
  const int64_t cut = least_likely_sample(last - max_window_ / 3, last);
  emit(cut, out);
  window_begin_ = cut;
  speech_begin_ = cut;
}

// The middle of the chunk in [first, last] where the mean over three chunks is least; of equals,
// the last one.
int64_t SpeechCutter::least_likely_sample(int64_t first, int64_t last) const {
  const int64_t chunks = std::ssize(recent_);
  const int64_t begin = position_ - chunks * kVadChunkSamples;
  constexpr int64_t kMiddle = kVadChunkSamples / 2;
  int64_t best = last;
  float least = 4.0F;
  for (int64_t i = (last - kMiddle - begin) / kVadChunkSamples; i > 0; --i) {
    const int64_t middle = begin + i * kVadChunkSamples + kMiddle;
    if (middle < first) break;
    const auto at = static_cast<size_t>(i);
    const float sum = recent_[at - 1] + recent_[at] + recent_[std::min(at + 1, recent_.size() - 1)];
    if (sum < least) {
      least = sum;
      best = middle;
    }
  }
  return best;
}

void SpeechCutter::emit(int64_t end, std::vector<SpeechWindow>& out) {
  last_end_ = std::min(end, window_begin_ + max_window_);
  out.push_back({window_begin_, last_end_});
}

std::vector<SpeechWindow> speech_windows(std::span<const float> probabilities, int64_t samples,
                                         const VadOptions& options) {
  std::vector<SpeechWindow> windows;
  SpeechCutter cutter(options);
  cutter.add(probabilities, windows);
  cutter.finish(samples, windows);
  return windows;
}

}  // namespace quintet::speech
