#include "quintet/engine/decode/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "quintet/core/aligned.h"
#include "quintet/core/check.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::decode {
namespace {

const Error& cancelled() {
  static const Error error(Code::kCancelled, "cancelled by the caller");
  return error;
}

void apply_rules(const LogitRules& rules, const Hypothesis& hypothesis, std::span<float> logits) {
  for (const auto& rule : rules) rule->apply(hypothesis.tokens, logits);
}

void append(Hypothesis& hypothesis, int32_t token, float log_prob) {
  hypothesis.tokens.push_back(token);
  hypothesis.log_probs.push_back(log_prob);
  hypothesis.sum_log_prob += log_prob;
}

// Lists of suppressed tokens come from files and may leave nothing: such a sequence has ended.
bool all_forbidden(std::span<const float> logits) {
  const int64_t best = kernels::argmax(logits.data(), static_cast<int64_t>(logits.size()));
  return logits[static_cast<size_t>(best)] == -std::numeric_limits<float>::infinity();
}

// Mean log-probability per token: openai/whisper's ranking without a length penalty.
const Hypothesis& best_of(const std::vector<Hypothesis>& hypotheses) {
  const auto score = [](const Hypothesis& h) {
    return h.sum_log_prob / static_cast<float>(std::max<size_t>(1, h.tokens.size()));
  };
  return *std::max_element(
      hypotheses.begin(), hypotheses.end(),
      [&](const Hypothesis& a, const Hypothesis& b) { return score(a) < score(b); });
}

// A token drawn with probability softmax(logits / temperature).
int32_t sample(std::span<const float> logits, float temperature, std::mt19937_64& random) {
  std::vector<float> weights(logits.begin(), logits.end());
  // Differences first: a logit over a tiny temperature would be infinite.
  const float top = *std::max_element(weights.begin(), weights.end());
  for (float& w : weights) w = (w - top) / temperature;
  kernels::softmax(weights.data(), static_cast<int64_t>(weights.size()));
  const auto size = static_cast<int64_t>(weights.size());
  // Not std::discrete_distribution: its draws differ between standard libraries.
  double target = static_cast<double>(random() >> 11) * 0x1p-53;
  for (int64_t i = 0; i < size; ++i) {
    target -= static_cast<double>(weights[static_cast<size_t>(i)]);
    if (target < 0) return static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(kernels::argmax(weights.data(), size));
}

// Greedy search, or independent samples that share the cache of the prompt.
Result<Hypothesis> sample_search(StepModel& model, std::span<float> first_logits,
                                 const LogitRules& rules, const SearchOptions& options) {
  const int64_t v = model.vocabulary();
  const bool greedy = options.temperature <= 0;
  const auto wanted = static_cast<size_t>(greedy ? 1 : options.sequences);
  std::mt19937_64 random(options.seed);
  std::vector<Hypothesis> all(wanted);
  std::vector<size_t> live;  // Sequence i of the model is hypothesis live[i].
  for (size_t i = 0; i < wanted; ++i) live.push_back(i);
  AlignedArray<float> logits(static_cast<int64_t>(wanted) * v);
  for (size_t i = 0; i < wanted; ++i) {
    std::copy(first_logits.begin(), first_logits.end(),
              logits.data() + static_cast<int64_t>(i) * v);
  }

  for (int64_t n = 0; n < options.max_new_tokens; ++n) {
    if (options.stop.stop_requested()) return cancelled();
    std::vector<size_t> next_live;
    std::vector<int32_t> next_parents;
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < live.size(); ++i) {
      Hypothesis& hypothesis = all[live[i]];
      const std::span<float> row(logits.data() + static_cast<int64_t>(i) * v,
                                 static_cast<size_t>(v));
      apply_rules(rules, hypothesis, row);
      if (all_forbidden(row)) continue;
      const auto token = greedy ? static_cast<int32_t>(kernels::argmax(row.data(), v))
                                : sample(row, options.temperature, random);
      const float log_prob = row[static_cast<size_t>(token)] - kernels::log_sum_exp(row.data(), v);
      if (token == options.end_token) {
        hypothesis.sum_log_prob += log_prob;
        continue;
      }
      append(hypothesis, token, log_prob);
      next_live.push_back(live[i]);
      // After the prompt all samples continue the one sequence that it made.
      next_parents.push_back(n == 0 ? 0 : static_cast<int32_t>(i));
      tokens.push_back(token);
    }
    live = std::move(next_live);
    if (live.empty() || n + 1 == options.max_new_tokens) break;
    model.step(next_parents, tokens, matrix(logits.data(), static_cast<int64_t>(tokens.size()), v));
  }
  return best_of(all);
}

struct Candidate {
  size_t beam;
  int32_t token;
  float log_prob;
  float sum;
};

// The `count` likeliest continuations of one beam.
void add_candidates(std::span<float> logits, const Hypothesis& hypothesis, size_t beam,
                    size_t count, std::vector<Candidate>& candidates) {
  if (all_forbidden(logits)) return;
  const float norm = kernels::log_sum_exp(logits.data(), static_cast<int64_t>(logits.size()));
  std::vector<int32_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  count = std::min(count, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
                    [&](int32_t a, int32_t b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x > y || (x == y && a < b);
                    });
  for (size_t i = 0; i < count; ++i) {
    const float log_prob = logits[static_cast<size_t>(ids[i])] - norm;
    if (log_prob == -std::numeric_limits<float>::infinity()) break;
    candidates.push_back({beam, ids[i], log_prob, hypothesis.sum_log_prob + log_prob});
  }
}

// Source: openai/whisper decoding.py BeamSearchDecoder (beam + 1 candidates per beam, so that one
// that ends leaves enough others).
Result<Hypothesis> beam_search(StepModel& model, std::span<float> first_logits,
                               const LogitRules& rules, const SearchOptions& options) {
  const int64_t v = model.vocabulary();
  const auto beams = static_cast<size_t>(options.sequences);
  const auto enough = static_cast<size_t>(
      std::max(1L, std::lround(static_cast<float>(options.sequences) * options.patience)));
  AlignedArray<float> logits(static_cast<int64_t>(beams) * v);
  std::copy(first_logits.begin(), first_logits.end(), logits.data());
  std::vector<Hypothesis> live(1);
  std::vector<Hypothesis> finished;

  for (int64_t n = 0; n < options.max_new_tokens && finished.size() < enough; ++n) {
    if (options.stop.stop_requested()) return cancelled();
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < live.size(); ++i) {
      const std::span<float> row(logits.data() + static_cast<int64_t>(i) * v,
                                 static_cast<size_t>(v));
      apply_rules(rules, live[i], row);
      add_candidates(row, live[i], i, beams + 1, candidates);
    }
    if (candidates.empty()) break;
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    std::vector<Hypothesis> next;
    std::vector<int32_t> parents;
    std::vector<int32_t> tokens;
    for (const Candidate& c : candidates) {
      if (next.size() == beams) break;
      Hypothesis hypothesis = live[c.beam];
      if (c.token == options.end_token) {
        hypothesis.sum_log_prob = c.sum;
        if (finished.size() < enough) finished.push_back(std::move(hypothesis));
        continue;
      }
      append(hypothesis, c.token, c.log_prob);
      next.push_back(std::move(hypothesis));
      parents.push_back(static_cast<int32_t>(c.beam));
      tokens.push_back(c.token);
    }
    live = std::move(next);
    if (live.empty() || n + 1 == options.max_new_tokens) break;
    model.step(parents, tokens, matrix(logits.data(), static_cast<int64_t>(tokens.size()), v));
  }
  // Unfinished beams count only where too few have ended.
  for (size_t i = 0; i < live.size() && finished.size() < enough; ++i) finished.push_back(live[i]);
  return best_of(finished);
}

}  // namespace

Result<Hypothesis> search(StepModel& model, std::span<float> logits, const LogitRules& rules,
                          const SearchOptions& options) {
  QT_CHECK_EQ(static_cast<int64_t>(logits.size()), model.vocabulary());
  QT_CHECK(options.sequences >= 1);
  if (options.temperature <= 0 && options.sequences > 1) {
    return beam_search(model, logits, rules, options);
  }
  return sample_search(model, logits, rules, options);
}

}  // namespace quintet::decode
