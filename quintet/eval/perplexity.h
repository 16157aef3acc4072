// How well a language model expects a text, and how far two models agree about it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "quintet/core/result.h"
#include "quintet/engine/text/text_model.h"
#include "quintet/eval/statistics.h"

namespace quintet::eval {

struct PerplexityOptions {
  int64_t window = 512;     // Tokens that are read together; the next window begins behind them.
  int64_t skipped = 256;    // At the start of each, without which nobody could expect the next.
  int64_t max_windows = 0;  // 0: all.
};

struct Perplexity {
  double value = 0;    // exp of the mean of -log p of the tokens that count.
  Interval interval;   // 95 %, by drawing windows.
  int64_t tokens = 0;  // That count.
  int64_t windows = 0;
};

// What the second model does on the same tokens.
struct Agreement {
  Perplexity perplexity;  // Of the second.
  double divergence = 0;  // Mean of KL(first || second), in nats.
  double top1 = 0;        // Share of positions where both expect the same token.
  Interval difference;    // Of log perplexity, second - first: 95 %, by drawing windows.
};

struct TextScore {
  Perplexity perplexity;
  std::optional<Agreement> agreement;  // Where there is a second model.
};

// Windows of the text's tokens, the last one only where it is whole; where the tokenizer puts a
// first token before a text, each window begins with it. `second`: null, or a model with the same
// vocabulary. `progress` gets the windows done and all of them. Errors: kInvalidArgument where the
// text is shorter than a window or the vocabularies differ; those of running the models.
Result<TextScore> score_text(const TextModel& model, const TextModel* second,
                             std::span<const int32_t> tokens, const PerplexityOptions& options,
                             const std::function<void(int64_t, int64_t)>& progress = {});

}  // namespace quintet::eval
