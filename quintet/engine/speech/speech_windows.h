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

struct VadOptions {
  float threshold = 0.5F;           // Speech begins at this probability.
  float exit_threshold = 0.35F;     // It goes on until the probability is below this one.
  int64_t min_speech_ms = 250;      // Shorter speech is dropped.
  int64_t min_silence_ms = 100;     // Shorter silences belong to the speech around them.
  int64_t padding_ms = 200;         // Silence kept at both ends of speech, where there is as much.
  int64_t max_window_ms = 30'000;   // REQUIRES: >= 1000.
  int64_t long_silence_ms = 3'000;  // A window ends where so much silence follows: it is skipped.
};

// Cuts as the probabilities come in; holds what one window needs, however long the audio is.
class SpeechCutter {
 public:
  explicit SpeechCutter(const VadOptions& options = {});

  // The probabilities of the next chunks. Appends the windows that nothing can change any more,
  // in their order; they do not overlap.
  void add(std::span<const float> probabilities, std::vector<SpeechWindow>& out);
  // The audio ended after `samples` samples. REQUIRES: (samples + 511) / 512 chunks were added.
  void finish(int64_t samples, std::vector<SpeechWindow>& out);

  // No window that is still to come begins before this sample.
  int64_t earliest_begin() const;

 private:
  VadOptions options_;
};

// All windows of a recording. Between them lies no speech; each is at most max_window_ms long.
// Windows are as long as that allows, except where long_silence_ms ends one; speech that goes on
// for longer is cut where it is least likely. Audio without speech gives none.
std::vector<SpeechWindow> speech_windows(std::span<const float> probabilities, int64_t samples,
                                         const VadOptions& options = {});

}  // namespace quintet::speech
