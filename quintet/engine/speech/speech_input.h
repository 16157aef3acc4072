// Recordings to transcribe, and how several share the machine.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "quintet/core/result.h"
#include "quintet/core/trace.h"
#include "quintet/engine/speech/transcript.h"

namespace quintet {

// An audio file in memory; `name` stands in errors.
struct AudioBytes {
  std::span<const std::byte> bytes;
  std::string name;
};

// An audio file of any format that libsndfile reads, with any rate and number of channels; or
// samples in [-1, 1] at 16 kHz, one channel. Memory that is pointed to must outlive the call.
using AudioInput = std::variant<std::filesystem::path, AudioBytes, std::span<const float>>;

struct SpeechInput {
  AudioInput audio;
  TranscribeOptions options = {};
};

// Speed and memory only: no text depends on it.
struct BatchOptions {
  // So many windows are decoded at a time. Each takes memory for its keys and values: 18 MB in a
  // model of the base size with bfloat16 caches. 1 to 64.
  int windows = 8;
  // Called from the transcribing thread, once for each input, in their order.
  std::function<void(size_t input, const Result<Transcript>& result)> on_result = {};
  // Gets a span for each stage, layer and operator; must outlive the call. Null: none.
  trace::Recorder* trace = nullptr;
};

}  // namespace quintet
