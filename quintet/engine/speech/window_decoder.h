// Decoding of one encoded window: language, prompt, rules, and temperatures until one is accepted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/stopwatch.h"
#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/vocabulary.h"

namespace quintet::speech {

struct DetectedLanguage {
  Language language;
  float probability = 0;
};

// The likeliest language of the audio that the session has encoded.
// Source: openai/whisper decoding.py detect_language.
DetectedLanguage detect_language(whisper::Session& session, const Vocabulary& vocabulary);

// Probabilities of all languages, in the order of vocabulary.languages.
std::vector<float> language_probabilities(whisper::Session& session, const Vocabulary& vocabulary);

struct WindowRequest {
  Language language;
  bool timestamps = true;
  std::vector<int32_t> previous;  // Text before this window; empty: none.
  bool steady_noise = false;      // The audio does not change as speech does.
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

// Searches the window that the session has encoded.
// Adds to timings.prefill, timings.decode, timings.tokens; sets timings.first_token once, counted
// from `started`.
// Errors: kCancelled.
Result<DecodedWindow> decode_window(whisper::Session& session, const io::BpeTokenizer& tokenizer,
                                    const whisper::GenerationConfig& generation,
                                    const Vocabulary& vocabulary, const WindowRequest& request,
                                    const TranscribeOptions& options, Clock::time_point started,
                                    Timings& timings);

// Bytes of text over bytes of its zlib compression: about 1.5 for speech, above 2.4 for loops.
float compression_ratio(std::string_view text);

}  // namespace quintet::speech
