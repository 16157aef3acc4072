// What may be asked of a language model, and what comes back.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/engine/decode/sampler.h"
#include "quintet/engine/timings.h"

namespace quintet {

struct GenerateOptions {
  decode::SamplingOptions sampling = {};
  int64_t max_new_tokens = 512;
  std::vector<std::string> stop = {};  // Texts that end the answer; they are left out of it.
  bool ignore_end = false;             // Goes on behind end tokens, for measurements.
  // Runs tokens ahead that stood behind the same words before; the answer stays the same.
  bool speculate = true;
  std::string json_schema = {};  // The answer is JSON of this schema; empty: any text.
  // Gets the answer in pieces of whole characters, as it comes.
  std::function<void(std::string_view)> on_text = {};
  std::stop_token stop_token = {};
};

enum class FinishReason : uint8_t {
  kEnd,         // The model ended it.
  kStopString,  // GenerateOptions::stop.
  kLength,      // max_new_tokens.
  kContext,     // The model's context or the memory for it is full.
  kCancelled,   // GenerateOptions::stop_token; the answer so far is kept.
};
// "end", "stop", "length", "context", "cancelled".
std::string_view finish_reason_name(FinishReason reason);

struct Generation {
  std::string text;
  std::vector<int32_t> tokens;                   // Without the end token.
  std::vector<decode::Sampler::Choice> choices;  // One for each token, with its log-probability.
  FinishReason reason = FinishReason::kEnd;
  int64_t prompt_tokens = 0;
  int64_t kept_tokens = 0;      // Of the prompt, that were still in the cache.
  int64_t drafted_tokens = 0;   // Run ahead,
  int64_t accepted_tokens = 0;  // and right.
  Timings timings;
};

// One turn of a conversation.
struct ChatMessage {
  std::string role;  // "system", "user" or "assistant".
  std::string content;
};

struct GenerateRequest {
  std::vector<int32_t> prompt;
  GenerateOptions options = {};
};

}  // namespace quintet
