// Recordings to transcripts: windows through mel and encoder one by one, and through the decoder
// together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/result.h"
#include "quintet/engine/speech/recording.h"
#include "quintet/engine/speech/speech_context.h"
#include "quintet/engine/speech/speech_input.h"
#include "quintet/engine/speech/window_decoder.h"
#include "quintet/engine/stopwatch.h"

namespace quintet::speech {

// A step of the decoder reads all its weights, whether for one token or for eight: windows of one
// recording or of several are decoded side by side, and where one ends, the next one takes its
// place. One use. Everything that is passed in must outlive it.
class BatchTranscriber {
 public:
  BatchTranscriber(const SpeechContext& context, whisper::Session& session,
                   const BatchOptions& options);

  // Results in the order of the inputs, each with its own error: as Recording; kInvalidArgument for
  // options. Times of what inputs share are divided among them: the sum over the results is the
  // time that all of it took.
  std::vector<Result<Transcript>> run(std::span<const SpeechInput> inputs);

 private:
  struct Job {
    const SpeechInput* input;
    std::unique_ptr<Recording> recording = {};      // While it is open.
    std::optional<Result<Transcript>> result = {};  // Once it is not.
  };
  struct Task {  // One window that is being decoded.
    Job* job;
    Recording::Window window;
    bool whole = true;  // Encoded at full length.
    bool language_reported = false;
    std::unique_ptr<WindowDecoder> decoder = {};
  };

  void fill_places();
  void open_next();
  bool admit_window();
  void start(Job& job, Recording::Window window);
  void encode(Task& task, int64_t frames);
  void report_language(Task& task) const;
  void step();
  void charge_step();
  void retire_finished();
  bool retry_whole(Task& task);
  void drop_cancelled();
  void close(Job& job, Result<Transcript> result);

  const SpeechContext& context_;
  whisper::Session& session_;
  const BatchOptions& options_;

  std::vector<Job> jobs_;
  std::vector<Job*> open_;
  size_t next_job_ = 0;   // Not yet opened.
  size_t delivered_ = 0;  // Results that the caller has seen.
  std::vector<Task> tasks_;
  LapClock clock_;
  std::vector<decode::StepRow> rows_;
  AlignedArray<float> logits_;  // [rows that want them, V]
};

}  // namespace quintet::speech
