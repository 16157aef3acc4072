// Does somebody speak? One probability for each 32 ms of audio, by a small recurrent network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/speech/speech_windows.h"
#include "quintet/engine/speech/window_reader.h"

namespace quintet::speech {

// Threads: const methods may be called from several threads at once.
class VoiceActivity {
 public:
  // A folder as `quintet pull silero-vad` makes it, or its .safetensors file.
  // Errors: kNotFound, kIo, kCorrupt, kUnsupported; all name the file.
  static Result<VoiceActivity> load(const std::filesystem::path& file_or_folder);
  VoiceActivity(VoiceActivity&&) noexcept;
  VoiceActivity& operator=(VoiceActivity&&) noexcept;
  ~VoiceActivity();

  // Of a whole recording: samples in [-1, 1] at 16 kHz, one channel; the last chunk is taken as
  // padded with zeros. Returns ceil(samples / 512) probabilities.
  std::vector<float> probabilities(std::span<const float> samples, ThreadPool& pool) const;

  // Of a recording that comes piece by piece: the same numbers, bit for bit.
  class Stream;

 private:
  struct Impl;
  explicit VoiceActivity(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Windows of a recording as they are found, in flat memory. One use.
//   SpeechWindowReader windows(activity, reader, pool);
//   for (;;) {
//     QT_TRY(const auto window, windows.next());
//     if (!window) break;
//     QT_TRY(const auto samples, reader.window(window->begin, window->end - window->begin));
//   }
class SpeechWindowReader {
 public:
  // Everything that is passed in must outlive this.
  SpeechWindowReader(const VoiceActivity& activity, WindowReader& reader, ThreadPool& pool,
                     const VadOptions& options = {});
  ~SpeechWindowReader();

  // nullopt: there are no more. The reader still holds the samples of the window.
  // Errors: those of the reader.
  Result<std::optional<SpeechWindow>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quintet::speech
