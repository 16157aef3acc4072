// Where to cut long audio: from the probability that somebody speaks to windows that begin and end
// in silences.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quintet::speech {

// One probability for each of these many samples at 16 kHz (32 ms); the last piece may be shorter.
inline constexpr int64_t kVadChunkSamples = 512;

struct SpeechWindow {  // A contiguous range of the recording: samples [begin, end) at 16 kHz.
  int64_t begin = 0;
  int64_t end = 0;

  friend bool operator==(const SpeechWindow&, const SpeechWindow&) = default;
};

// What speech is, is decided as the publishers of the network do it. REQUIRES: no negative numbers.
// Source: silero-vad 6.2.3, get_speech_timestamps_from_probs.
struct VadOptions {
  float threshold = 0.5F;          // Speech begins at this probability.
  float exit_threshold = 0.35F;    // It goes on until the probability is below this one.
  int64_t min_speech_ms = 250;     // Speech that is no longer than this is dropped.
  int64_t min_silence_ms = 100;    // Shorter silences belong to the speech around them.
  int64_t padding_ms = 200;        // Silence kept at both ends of a window, where there is as much.
  int64_t max_window_ms = 30'000;  // REQUIRES: >= 1000.
  int64_t long_silence_ms = 3'000;  // A window ends where so much silence follows: it is skipped.
};

// Cuts as the probabilities come in; holds what one window needs, however long the audio is.
class SpeechCutter {
 public:
  explicit SpeechCutter(const VadOptions& options = {});

  // The probabilities of the next chunks. Appends the windows that nothing can change any more,
  // in their order; they do not overlap.
  void add(std::span<const float> probabilities, std::vector<SpeechWindow>& out);
  // The audio ended after `samples` samples. Once, at the end.
  // REQUIRES: ceil(samples / 512) chunks were added.
  void finish(int64_t samples, std::vector<SpeechWindow>& out);

  // No window that is still to come begins before this sample.
  int64_t earliest_begin() const;

 private:
  void step(float probability, std::vector<SpeechWindow>& out);
  void confirm_speech();
  void end_speech(int64_t end);
  int64_t speech_end() const;
  void split_while_too_long(int64_t end, std::vector<SpeechWindow>& out);
  void split_at_silence(std::vector<SpeechWindow>& out);
  void split_speech(std::vector<SpeechWindow>& out);
  int64_t least_likely_sample(int64_t first, int64_t last) const;
  void emit(int64_t end, std::vector<SpeechWindow>& out);

  float threshold_;
  float exit_threshold_;
  // In samples.
  int64_t min_speech_;
  int64_t min_silence_;
  int64_t padding_;
  int64_t max_window_;
  int64_t long_silence_;

  int64_t position_ = 0;        // Behind the last chunk.
  std::vector<float> recent_;   // The last probabilities, as far as the window at hand needs them.
  bool speaking_ = false;       // Between entry and exit of the hysteresis.
  bool confirmed_ = false;      // For longer than min_speech_: nothing drops it any more.
  int64_t speech_begin_ = 0;    // Where `speaking_` began.
  int64_t silence_begin_ = -1;  // A silence too short, so far, to end it; -1: none.
  bool in_window_ = false;      // There is confirmed speech that is not in a window yet.
  int64_t window_begin_ = 0;    // With its padding.
  std::vector<SpeechWindow> spans_;  // What was said and ended in the window at hand.
  int64_t last_end_ = 0;             // Of the window before.
};

// All windows of a recording. Between them lies no speech; each is at most max_window_ms long.
// A window goes on for as long as it may, except where long_silence_ms ends it. When it is full it
// is cut at the longest silence of its last third, else at the last silence before; speech without
// any is cut where it is least likely, within the last third. Audio without speech gives none.
std::vector<SpeechWindow> speech_windows(std::span<const float> probabilities, int64_t samples,
                                         const VadOptions& options = {});

}  // namespace quintet::speech
