#include "quintet/engine/decode/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "quintet/core/check.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::decode {
namespace {

// Applies the rules to the logits of a hypothesis. Those that `estimated` gave are made exact where
// a rule compares them, and in the end the `count` largest that are still allowed. Null: all are
// exact.
void apply_rules(const LogitRules& rules, const Hypothesis& hypothesis, const Sequence* estimated,
                 int64_t count, std::span<float> logits) {
  const auto refine = [&] {
    if (estimated != nullptr) estimated->refine(count, logits);
  };
  for (const auto& rule : rules) {
    if (rule->compares()) refine();
    rule->apply(hypothesis.tokens, logits);
  }
  refine();
}

std::span<float> row_of(MatrixView<float> logits, int64_t row) {
  return {logits.row(row), static_cast<size_t>(logits.cols)};
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
int32_t draw(std::span<const float> logits, float temperature, std::mt19937_64& random) {
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
class SampleSearch final : public Search {
 public:
  SampleSearch(Sequence prompt, const LogitRules& rules, const SearchOptions& options)
      : rules_(rules),
        options_(options),
        random_(options.seed),
        prompt_(std::move(prompt)),
        samples_(greedy() ? 1 : static_cast<size_t>(options.sequences)) {}

  void choose(MatrixView<float> logits) override {
    int64_t next = 0;
    for (Sample& sample : samples_) {
      if (sample.ended) continue;
      // At first all samples continue the one row of the prompt.
      const std::span<float> row = row_of(logits, step_ == 0 ? 0 : next++);
      sample.ended = step_ == options_.max_new_tokens || !extend(sample, row);
    }
    ++step_;
  }

  std::span<const StepRow> advance() override {
    rows_.clear();
    for (Sample& sample : samples_) {
      if (sample.ended || step_ >= options_.max_new_tokens) {
        sample.sequence = {};
        continue;
      }
      if (step_ == 1) sample.sequence = prompt_.fork();
      rows_.push_back({.sequence = sample.sequence.id(),
                       .token = sample.hypothesis.tokens.back(),
                       .estimate = true});
    }
    prompt_ = {};
    return rows_;
  }

  Hypothesis best() const override {
    std::vector<Hypothesis> all;
    for (const Sample& sample : samples_) all.push_back(sample.hypothesis);
    return best_of(all);
  }

 private:
  struct Sample {
    Hypothesis hypothesis;
    Sequence sequence;
    bool ended = false;
  };

  bool greedy() const { return options_.temperature <= 0; }

  // False: it has ended.
  bool extend(Sample& sample, std::span<float> logits) {
    Hypothesis& hypothesis = sample.hypothesis;
    // The prompt's logits are exact.
    apply_rules(rules_, hypothesis, step_ > 0 ? &sample.sequence : nullptr, 1, logits);
    if (all_forbidden(logits)) return false;
    const auto v = static_cast<int64_t>(logits.size());
    const auto token = greedy() ? static_cast<int32_t>(kernels::argmax(logits.data(), v))
                                : draw(logits, options_.temperature, random_);
    const float log_prob =
        logits[static_cast<size_t>(token)] - kernels::log_sum_exp(logits.data(), v);
    if (token == options_.end_token) {
      hypothesis.sum_log_prob += log_prob;
      return false;
    }
    append(hypothesis, token, log_prob);
    return true;
  }

  const LogitRules& rules_;
  SearchOptions options_;
  std::mt19937_64 random_;
  int64_t step_ = 0;
  Sequence prompt_;
  std::vector<Sample> samples_;
  std::vector<StepRow> rows_;
};

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
class BeamSearch final : public Search {
 public:
  BeamSearch(Sequence prompt, const LogitRules& rules, const SearchOptions& options)
      : rules_(rules),
        options_(options),
        beams_(static_cast<size_t>(options.sequences)),
        enough_(static_cast<size_t>(
            std::max(1L, std::lround(static_cast<float>(options.sequences) * options.patience)))) {
    live_.emplace_back().sequence = std::move(prompt);
  }

  void choose(MatrixView<float> logits) override {
    next_.clear();
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < live_.size() && step_ < options_.max_new_tokens; ++i) {
      const std::span<float> row = row_of(logits, static_cast<int64_t>(i));
      apply_rules(rules_, live_[i].hypothesis, step_ > 0 ? &live_[i].sequence : nullptr,
                  options_.sequences + 1, row);
      add_candidates(row, live_[i].hypothesis, i, beams_ + 1, candidates);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    for (const Candidate& c : candidates) {
      if (next_.size() == beams_) break;
      Hypothesis hypothesis = live_[c.beam].hypothesis;
      if (c.token == options_.end_token) {
        hypothesis.sum_log_prob = c.sum;
        if (finished_.size() < enough_) finished_.push_back(std::move(hypothesis));
        continue;
      }
      append(hypothesis, c.token, c.log_prob);
      next_.push_back({.hypothesis = std::move(hypothesis), .parent = c.beam});
    }
    stuck_ = candidates.empty();
    ++step_;
  }

  std::span<const StepRow> advance() override {
    rows_.clear();
    const bool ended = step_ >= options_.max_new_tokens || finished_.size() >= enough_;
    for (Beam& beam : next_) {
      if (ended) break;
      beam.sequence = live_[beam.parent].sequence.fork();
      rows_.push_back({.sequence = beam.sequence.id(),
                       .token = beam.hypothesis.tokens.back(),
                       .estimate = true});
    }
    if (!stuck_) live_ = std::move(next_);
    return rows_;
  }

  Hypothesis best() const override {
    std::vector<Hypothesis> all = finished_;
    // Unfinished beams count only where too few have ended.
    for (const Beam& beam : live_) {
      if (all.size() < enough_) all.push_back(beam.hypothesis);
    }
    return best_of(all);
  }

 private:
  struct Beam {
    Hypothesis hypothesis = {};
    Sequence sequence = {};
    size_t parent = 0;  // Among the beams of the step before.
  };

  const LogitRules& rules_;
  SearchOptions options_;
  size_t beams_;
  size_t enough_;
  int64_t step_ = 0;
  bool stuck_ = false;  // The rules left no beam a token: those that live count as they are.
  std::vector<Beam> live_;
  std::vector<Beam> next_;
  std::vector<Hypothesis> finished_;
  std::vector<StepRow> rows_;
};

}  // namespace

std::unique_ptr<Search> make_search(Sequence prompt, const LogitRules& rules,
                                    const SearchOptions& options) {
  QT_CHECK(options.sequences >= 1);
  if (options.temperature <= 0 && options.sequences > 1) {
    return std::make_unique<BeamSearch>(std::move(prompt), rules, options);
  }
  return std::make_unique<SampleSearch>(std::move(prompt), rules, options);
}

}  // namespace quintet::decode
