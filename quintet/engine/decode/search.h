// Search strategies over a StepModel: greedy, sampling, beam search.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

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
};

struct Hypothesis {
  std::vector<int32_t> tokens;   // Without the end token.
  std::vector<float> log_probs;  // Of each token, after the rules, at temperature 1.
  float sum_log_prob = 0;        // Of the tokens and the end token.

  float average_log_prob() const { return sum_log_prob / static_cast<float>(tokens.size() + 1); }
};

// One search, which does not run the model itself: whoever does may run the rows of many searches
// in one pass. `choose` takes logits and `advance` gives the rows to run for the next ones, in
// turns, until there are none.
class Search {
 public:
  virtual ~Search() = default;

  // Takes the logits of the rows that it asked for, at first those of the last token of the prompt,
  // and overwrites them. Shapes: logits [rows, V].
  // Threads: calls of different searches may overlap.
  virtual void choose(MatrixView<float> logits) = 0;

  // Parts the sequences of the model as was chosen, and says what to run. Empty: it has ended.
  virtual std::span<const StepRow> advance() = 0;

  // REQUIRES: it has ended.
  virtual Hypothesis best() const = 0;
};

// Extends `prompt`, a sequence that has read the prompt. `rules` must outlive the search.
std::unique_ptr<Search> make_search(Sequence prompt, const LogitRules& rules,
                                    const SearchOptions& options);

}  // namespace quintet::decode
