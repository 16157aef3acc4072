// Search strategies over a StepModel: greedy, sampling, beam search.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/decode/rules.h"
#include "quintet/engine/decode/step_model.h"

namespace quintet::decode {

struct SearchOptions {
  int32_t end_token = 0;
  int64_t max_new_tokens = 224;
  float temperature = 0;  // 0: the likeliest token.
  int sequences = 1;      // Beams at temperature 0, independent samples above it.
  float patience = 1;     // Beam search stops after sequences * patience finished hypotheses.
  uint64_t seed = 0;
  std::stop_token stop = {};
};

struct Hypothesis {
  std::vector<int32_t> tokens;   // Without the end token.
  std::vector<float> log_probs;  // Of each token, after the rules, at temperature 1.
  float sum_log_prob = 0;        // Of the tokens and the end token.

  float average_log_prob() const { return sum_log_prob / static_cast<float>(tokens.size() + 1); }
};

// Extends the sequence that model.start has read. `logits`: those of its last position, [V]; they
// are overwritten.
// Errors: kCancelled where options.stop was requested.
Result<Hypothesis> search(StepModel& model, std::span<float> logits, const LogitRules& rules,
                          const SearchOptions& options);

}  // namespace quintet::decode
