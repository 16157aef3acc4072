// The way of one recording: windows of 30 s, each through mel, encoder and decoder, joined by their
// timestamps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/vocabulary.h"
#include "quintet/engine/speech/window_decoder.h"
#include "quintet/engine/speech/window_reader.h"
#include "quintet/kernels/mel/mel.h"

namespace quintet::speech {

// One use. Everything that is passed in must outlive it.
class Transcriber {
 public:
  Transcriber(const whisper::Model& model, const Vocabulary& vocabulary,
              const kernels::MelFilter& mel, ThreadPool& pool, whisper::Session& session,
              const TranscribeOptions& options);

  // Errors: those of reading; kInvalidArgument for an unknown language; kCancelled.
  Result<Transcript> run(WindowReader& reader);

 private:
  struct Window {
    std::span<const float> samples;
    int64_t begin = 0;  // Absolute sample.
    double begin_seconds() const;
    double seconds() const;
  };

  Result<void> choose_language();
  void encode(const Window& window, int64_t frames);
  Result<DecodedWindow> decode(const Window& window);
  Result<double> transcribe_window(const Window& window);
  void finish_segment(Segment segment);
  WindowRequest make_request() const;

  const whisper::Model& model_;
  const Vocabulary& vocabulary_;
  const kernels::MelFilter& mel_;
  ThreadPool& pool_;
  whisper::Session& session_;
  const TranscribeOptions& options_;

  Clock::time_point started_;
  bool timestamps_ = true;     // Whether the model is asked for timestamps.
  bool steady_noise_ = false;  // Of the window at hand.
  std::optional<Language> language_;
  std::vector<int32_t> previous_;  // Text tokens that the next window may be conditioned on.
  Transcript transcript_;
};

}  // namespace quintet::speech
