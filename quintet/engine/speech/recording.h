// One recording on its way to a transcript.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/speech/segments.h"
#include "quintet/engine/speech/speech_context.h"
#include "quintet/engine/speech/speech_input.h"
#include "quintet/engine/speech/window_decoder.h"
#include "quintet/engine/speech/window_source.h"
#include "quintet/engine/stopwatch.h"
#include "quintet/io/media/audio.h"

namespace quintet::speech {

// Numbers in range, a language of the model, cuts that are possible. Errors: kInvalidArgument.
Result<void> check_options(const SpeechContext& context, const TranscribeOptions& options);

// Gives windows, takes what was found in them in any order, and joins it in theirs.
class Recording {
 public:
  struct Window {
    AudioWindow audio;
    int64_t index = 0;      // 0, 1, 2 ... within the recording.
    WindowRequest request;  // What the recording knows about it.
  };

  // Both must outlive it. Errors: those of reading; those of check_options.
  static Result<std::unique_ptr<Recording>> open(const SpeechContext& context,
                                                 const SpeechInput& input);

  // The next window with anything to hear. nullopt: there are no more, or the next one depends on
  // those at work. Errors: those of reading; kCancelled.
  Result<std::optional<Window>> next_window();

  // The language of a window is known, its text is not yet.
  void language_detected(const DetectedLanguage& detected);

  // Takes the text of a window.
  void finish_window(const Window& window, const WindowDecoder& decoder);

  // Whether windows stand alone, so that several are decoded at a time.
  bool independent() const { return windows_->independent(); }
  bool finished() const { return windows_->ended() && at_work_ == 0; }
  const TranscribeOptions& options() const { return options_; }
  Timings& timings() { return transcript_.timings; }
  double age_ms() const { return milliseconds_since(opened_); }

  // REQUIRES: finished().
  Transcript take_transcript();

 private:
  struct Finished {
    std::vector<Segment> segments;
    double end_seconds = 0;
  };

  Recording(const SpeechContext& context, const TranscribeOptions& options);
  Result<void> begin(const AudioInput& audio);
  WindowRequest make_request(const AudioWindow& audio) const;
  void join(Finished window);
  void report_progress(double done_seconds) const;

  const SpeechContext& context_;
  const TranscribeOptions& options_;
  Clock::time_point opened_ = Clock::now();
  std::optional<io::AudioReader> audio_;  // Unset for samples in memory.
  std::unique_ptr<WindowReader> reader_;
  std::unique_ptr<WindowSource> windows_;

  std::optional<Language> language_;
  bool detecting_ = false;               // A window at work will say which language it is.
  std::vector<int32_t> previous_;        // Text tokens that the next window may be conditioned on.
  int64_t given_ = 0;                    // Windows that were given,
  int64_t at_work_ = 0;                  // and are not yet finished.
  int64_t joined_ = 0;                   // Windows whose text is in the transcript.
  std::map<int64_t, Finished> waiting_;  // Finished before one that comes before them, by index.
  Transcript transcript_;
};

}  // namespace quintet::speech
