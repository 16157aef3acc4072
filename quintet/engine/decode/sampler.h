// Chooses the next token of one sequence from its logits, as the options say.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::decode {

// What is done to the logits, in this order:
//   1. logit_bias is added;
//   2. repetition_penalty: logits of tokens of the prompt or of the answer are divided by it where
//      they are positive and multiplied by it elsewhere, once however often the token stands there;
//   3. presence_penalty is subtracted for each token of the answer, frequency_penalty as often as
//      it stands there; the prompt does not count;
//   4. temperature divides all; 0 takes the likeliest token, the first of equals, and leaves out
//      what follows;
//   5. top_k keeps the k largest, and what equals the last of them;
//   6. top_p keeps the fewest of the likeliest that have this probability together;
//   7. min_p keeps what has this share of the largest probability.
// Source: Hugging Face transformers 5 logits_process.py (1, 2, 4 to 7), whose order this is; the
// OpenAI API reference and vLLM for 3. Keskar et al. 2019, Holtzman et al. 2020, Nguyen et al.
// 2024.
struct SamplingOptions {
  float temperature = 0;
  int64_t top_k = 0;             // 0: all.
  float top_p = 1;               // In [0, 1]; 1: all.
  float min_p = 0;               // In [0, 1]; 0: all.
  float repetition_penalty = 1;  // Above 0; 1: none.
  float presence_penalty = 0;    // In [-2, 2].
  float frequency_penalty = 0;   // In [-2, 2].
  uint64_t seed = 0;
  // In [-100, 100], or -inf to forbid the token. Biases of one token add up.
  std::vector<std::pair<int32_t, float>> logit_bias = {};
  int top_log_probs = 0;  // How many of the likeliest tokens are reported with each choice.
};

// Errors: kInvalidArgument, naming the option and the values that it may have.
Result<void> check(const SamplingOptions& options, int64_t vocabulary);

// What it chooses depends on its options, on the logits and on what it was told before, never on
// other sequences. Each choice above temperature 0 takes one number from the random stream of the
// seed. Threads: calls for different samplers may overlap.
class Sampler {
 public:
  // Log-probabilities are those of the logits as they come in, before step 1: what the model says,
  // as vLLM ("raw_logprobs") and llama.cpp report by default, and as OpenAI does for biases.
  struct Choice {
    int32_t token = 0;
    float log_prob = 0;
    std::vector<std::pair<int32_t, float>> top =
        {};  // The likeliest first; none that is forbidden.
  };
  struct Candidate {
    int32_t token = 0;
    float probability = 0;  // Up to a common factor.
  };

  // The prompt counts for repetition_penalty; tokens that have no logit do not. REQUIRES: check().
  Sampler(SamplingOptions options, std::span<const int32_t> prompt);

  // How many of the largest logits have to be exact, for StepModel::refine; the others may be
  // estimates. None: estimates will not do.
  std::optional<int64_t> exact_logits() const;

  // -inf means "forbidden". Errors: kCorrupt where a logit is NaN or +inf; kInvalidArgument where
  // every token is forbidden. Shapes: logits [V].
  // Cost: at temperature 0 a few passes over the logits, above it two more and a copy, and a
  // selection among few (sampler_bench.cc); no sort.
  Result<Choice> choose(std::span<const float> logits);

  // The tokens that `choose` would draw from, in the order of their numbers, and how likely it
  // would draw each. Valid until the next call.
  Result<std::span<const Candidate>> distribution(std::span<const float> logits);

  // The token that follows in the answer; it need not be the one that was chosen.
  void accept(int32_t token) { ++counts_[token]; }

 private:
  bool greedy() const { return options_.temperature == 0; }
  bool changes_logits() const;
  // Steps 1 to 3, in scores_, which stays empty where there is nothing to do at temperature 0.
  // Gives the likeliest token.
  Result<int32_t> change_logits(std::span<const float> logits);
  void add_bias_and_penalties();
  // Step 4: scores_ become probabilities.
  void apply_temperature(float largest);
  // Steps 5 to 7: fills candidates_ with what they leave.
  void truncate();
  void gather_top_k();
  void gather_likeliest();
  void keep_nucleus();
  double uniform();

  SamplingOptions options_;
  uint64_t random_;
  std::unordered_map<int32_t, int64_t> counts_;  // In the answer; 0: in the prompt alone.
  std::vector<float> scores_;                    // [V]
  std::vector<Candidate> candidates_;
};

}  // namespace quintet::decode
