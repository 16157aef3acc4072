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
#include "quintet/engine/models/silero/network.h"
#include "quintet/engine/speech/speech_windows.h"
#include "quintet/engine/speech/window_reader.h"

namespace quintet::speech {

// Threads: const methods may be called from several threads at once.
class VoiceActivity {
 public:
  // A folder as `quintet pull silero-vad` makes it, or its model.safetensors.
  // Errors: kNotFound, kIo, kCorrupt, kUnsupported; all name the file.
  static Result<VoiceActivity> load(const std::filesystem::path& file_or_folder);

  // Of a whole recording: finite samples in [-1, 1] at 16 kHz, one channel; the last chunk is taken
  // as padded with zeros. Returns ceil(samples / 512) probabilities.
  std::vector<float> probabilities(std::span<const float> samples, ThreadPool& pool) const;

 private:
  friend class VoiceActivityStream;
  explicit VoiceActivity(std::shared_ptr<const silero::Network> network)
      : network_(std::move(network)) {}

  std::shared_ptr<const silero::Network> network_;
};

// The same for a recording that comes piece by piece: the same numbers, bit for bit. One use.
class VoiceActivityStream {
 public:
  // The pool must outlive this.
  VoiceActivityStream(const VoiceActivity& activity, ThreadPool& pool);

  // Appends the probabilities of the chunks that are complete.
  void add(std::span<const float> samples, std::vector<float>& out);
  // Appends that of the last, incomplete chunk, if there is one.
  void finish(std::vector<float>& out);

 private:
  void run(int64_t chunks, std::vector<float>& out);

  std::shared_ptr<const silero::Network> network_;
  ThreadPool& pool_;
  silero::CellState state_;
  std::vector<float> samples_;  // The context of the next chunk and what came since.
};

// Windows of a recording as they are found, in flat memory. One use.
//
//   SpeechWindowReader windows(activity, reader, pool);
//   for (;;) {
//     QT_TRY(const std::optional<SpeechWindow> window, windows.next());
//     if (!window) break;
//     QT_TRY(const auto samples, reader.window(window->begin, window->end - window->begin));
//   }
class SpeechWindowReader {
 public:
  // The reader and the pool must outlive this.
  SpeechWindowReader(const VoiceActivity& activity, WindowReader& reader, ThreadPool& pool,
                     const VadOptions& options = {});

  // nullopt: there are no more. Until the next call the reader can still give the samples of the
  // window, and should not be asked for later ones.
  // Errors: those of the reader.
  Result<std::optional<SpeechWindow>> next();

 private:
  Result<void> read_block();

  WindowReader& reader_;
  VoiceActivityStream stream_;
  SpeechCutter cutter_;
  int64_t samples_read_ = 0;
  bool ended_ = false;
  std::vector<SpeechWindow> found_;  // [next_, end) were not handed out yet.
  size_t next_ = 0;
};

}  // namespace quintet::speech
