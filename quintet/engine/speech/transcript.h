// What a transcription asks for and gives. Plain values; times are seconds from the start of the
// audio.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "quintet/engine/timings.h"

namespace quintet {

struct Word {
  std::string text;  // With its leading space and trailing punctuation.
  double start_seconds = 0;
  double end_seconds = 0;
  float probability = 0;
};

struct Segment {
  int64_t id = 0;  // 0, 1, 2 ... within the transcript.
  double start_seconds = 0;
  double end_seconds = 0;
  std::string text;
  std::vector<int32_t> tokens;         // Text and timestamp tokens.
  std::vector<float> token_log_probs;  // One for each token.
  float temperature = 0;               // At which the window was accepted.
  float average_log_prob = 0;          // Of the window that the segment is from.
  float compression_ratio = 0;
  float no_speech_probability = 0;
  std::vector<Word> words;  // Only where asked for.
};

struct Transcript {
  std::string text;
  std::string language;            // Code: "en".
  float language_probability = 1;  // 1 where it was given.
  double duration_seconds = 0;     // Of the audio.
  std::vector<Segment> segments;
  Timings timings;
};

enum class Task { kTranscribe, kTranslate };  // Translate: into English.

enum class TimestampMode {
  kNone,      // Text only. Audio beyond one window still advances by timestamps internally.
  kSegments,  // Start and end of each segment.
  kWords,     // And of each word, by cross-attention alignment.
};

// Where the windows of audio that is longer than one begin.
enum class Cut {
  kTimestamps,  // Where the text of the one before ends: one after the other.
  kSilences,    // In silences, by a voice-activity network: independent of each other, so that they
                // are decoded together. Nothing is heard outside of speech.
};

struct TranscribeOptions {
  // What is asked for.
  std::string language = {};  // Code or English name; empty: detected from the first speech.
  Task task = Task::kTranscribe;
  TimestampMode timestamps = TimestampMode::kSegments;
  std::string initial_prompt = {};  // Text that the first window is taken to continue.

  // How it is searched.
  int beams = 1;    // 1: greedy.
  int samples = 5;  // Independent samples at temperatures above 0; the likeliest counts.
  // Tried in turn until a window passes the two thresholds below.
  std::vector<float> temperatures = {0.0f, 0.2f, 0.4f, 0.6f, 0.8f, 1.0f};
  float max_compression_ratio = 2.4f;  // zlib; repetition compresses better than speech.
  float min_average_log_prob = -1.0f;
  float no_speech_threshold = 0.6f;    // Above it, and below min_average_log_prob: silence.
  Cut cut = Cut::kTimestamps;          // kSilences: see LoadOptions::voice_activity.
  bool condition_on_previous = false;  // Windows continue the text of those before: kTimestamps.
  uint64_t seed = 0;                   // Of the samples.
  // The encoder runs over the audio there is and a margin, and over the whole window only where the
  // text then fails the thresholds above. false: always the whole window, as published.
  bool exact_length = true;

  // Called from the transcribing thread.
  std::function<void(const Segment&)> on_segment = {};
  std::function<void(double done_seconds, double total_seconds)> on_progress =
      {};                     // Total 0: unknown.
  std::stop_token stop = {};  // Requested: the result is the error kCancelled.
};

}  // namespace quintet
