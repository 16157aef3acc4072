// Decoding of one encoded window: language, prompt, rules, and temperatures until one is accepted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/engine/decode/search.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/vocabulary.h"

namespace quintet::speech {

struct DetectedLanguage {
  Language language;
  float probability = 0;
  float no_speech_probability = 0;  // Of the audio that it was detected from.
};

struct WindowRequest {
  std::optional<Language> language;  // Detected without it.
  bool timestamps = true;
  // Speech goes on until then, from the begin of the window: text with timestamps, once there is
  // any, does not end before. 0: nothing is known.
  double speech_seconds = 0;
  std::vector<int32_t> previous;    // Text before this window; empty: none.
  std::vector<float> temperatures;  // Tried in turn until one is accepted. REQUIRES: not empty.
  bool steady_noise = false;        // The audio does not change as speech does.
};

struct DecodedWindow {
  std::vector<int32_t> tokens;   // Text and timestamps, without the end.
  std::vector<float> log_probs;  // One for each token.
  std::string text;
  float average_log_prob = 0;
  float compression_ratio = 0;
  float no_speech_probability = 0;
  float temperature = 0;
  bool steady_noise = false;
  bool accepted = false;  // Likely, not repetitive, or silent. Otherwise the last temperature's.

  // The model hears no speech, and either finds the text itself unlikely or hears steady noise.
  bool silent(const TranscribeOptions& options) const;
};

// Runs no model itself: whoever does runs the rows of many windows in one pass, and takes turns of
// `rows`, `take` and `advance` until there are no rows.
class WindowDecoder {
 public:
  // `model`, `vocabulary` and `options` must outlive it.
  WindowDecoder(whisper::EncodedWindow window, const whisper::Model& model,
                const Vocabulary& vocabulary, WindowRequest request,
                const TranscribeOptions& options);

  // What to run next; empty: it is done.
  std::span<const decode::StepRow> rows() const { return rows_; }

  // Takes the logits of those rows that want them, and overwrites them.
  // Threads: calls for different windows may overlap.
  void take(MatrixView<float> logits);
  // Settles what follows from them: the next rows, sequences begun and ended.
  void advance();

  // Whether the rows at hand belong to the search, not to language or prompt.
  bool searching() const { return stage_ == Stage::kSearch; }
  // Given or detected; not yet known at first.
  const std::optional<Language>& language() const { return request_.language; }
  // Only where the language was not given.
  const std::optional<DetectedLanguage>& detected() const { return detected_; }
  // Produced so far, at all temperatures.
  int64_t tokens() const { return tokens_; }

  // REQUIRES: it is done.
  const DecodedWindow& result() const { return result_; }
  const whisper::EncodedWindow& window() const { return window_; }

 private:
  enum class Stage { kLanguage, kPrompt, kSearch };

  void begin_prompt();
  void begin_search();
  void finish_search();
  bool last_temperature() const { return temperature_ + 1 == request_.temperatures.size(); }

  whisper::EncodedWindow window_;  // Before the sequences, which go first.
  const whisper::Model& model_;
  const Vocabulary& vocabulary_;
  const TranscribeOptions& options_;
  WindowRequest request_;
  std::optional<DetectedLanguage> detected_;

  Stage stage_ = Stage::kLanguage;
  std::vector<decode::StepRow> prompt_rows_;
  std::span<const decode::StepRow> rows_;
  decode::LogitRules rules_;
  decode::Sequence prompt_;  // Every temperature continues it,
  int64_t prompt_tokens_ = 0;
  std::vector<float> first_logits_;  // and begins with what follows it.
  std::unique_ptr<decode::Search> search_;
  size_t temperature_ = 0;
  int64_t tokens_ = 0;
  DecodedWindow result_;
};

// Bytes of text over bytes of its zlib compression: about 1.5 for speech, above 2.4 for loops.
float compression_ratio(std::string_view text);

}  // namespace quintet::speech
