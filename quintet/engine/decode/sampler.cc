#include "quintet/engine/decode/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>

#include "quintet/core/check.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::decode {
namespace {

using Candidate = Sampler::Candidate;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

Error invalid(const std::string& option, const std::string& problem) {
  return {Code::kInvalidArgument, option + " " + problem};
}

Result<void> check_range(const char* option, float value, float from, float to) {
  // Written so that NaN fails.
  if (value >= from && value <= to) return {};
  std::ostringstream problem;
  problem << "has to lie from " << from << " to " << to << ", not be " << value;
  return invalid(option, problem.str());
}

Result<void> check_bias(std::span<const std::pair<int32_t, float>> bias, int64_t vocabulary) {
  for (const auto& [token, value] : bias) {
    if (token < 0 || token >= vocabulary) {
      return invalid("logit_bias", "names token " + std::to_string(token) +
                                       ", and the vocabulary has " + std::to_string(vocabulary));
    }
    if (value != kForbidden) QT_TRY_VOID(check_range("logit_bias", value, -100, 100));
  }
  return {};
}

Result<void> check_numbers(std::span<const float> logits) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  int wrong = 0;
  for (const float x : logits) wrong |= x <= kLargest ? 0 : 1;
  if (wrong == 0) return {};
  const auto at =
      std::find_if(logits.begin(), logits.end(), [](float x) { return !(x <= kLargest); });
  return Error(Code::kCorrupt,
               "the logit of token " + std::to_string(at - logits.begin()) + " is " +
                   (std::isnan(*at) ? "not a number" : "infinite") +
                   ": weights of the model are damaged, or too large for this precision");
}

std::vector<float> block_maxima(std::span<const float> values) {
  std::vector<float> maxima(static_cast<size_t>(kernels::block_count(std::ssize(values))));
  kernels::block_maxima(values.data(), std::ssize(values), maxima.data());
  return maxima;
}

// The `count`-th largest, or the least of fewer. REQUIRES: count >= 1, some values.
float ith_largest(std::vector<float> values, int64_t count) {
  const int64_t i = std::min(count, std::ssize(values)) - 1;
  std::nth_element(values.begin(), values.begin() + i, values.end(), std::greater<>());
  return values[static_cast<size_t>(i)];
}

// Those of at least `least` and above `floor`, in their order.
void gather(std::span<const float> values, std::span<const float> maxima, float least, float floor,
            std::vector<Candidate>& to) {
  to.clear();
  constexpr auto kBlock = static_cast<size_t>(kernels::kMaximaBlock);
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (maxima[block] < least) continue;
    for (size_t i = block * kBlock; i < std::min(values.size(), (block + 1) * kBlock); ++i) {
      if (values[i] >= least && values[i] > floor)
        to.push_back({static_cast<int32_t>(i), values[i]});
    }
  }
}

// The `count` largest values above `floor`, what equals the last of them, and perhaps more.
void gather_largest(std::span<const float> values, int64_t count, float floor,
                    std::vector<Candidate>& to) {
  const std::vector<float> maxima = block_maxima(values);
  // As many blocks hold at least one value each that is no smaller.
  gather(values, maxima, std::ssize(maxima) < count ? floor : ith_largest(maxima, count), floor,
         to);
}

bool likelier(const Candidate& a, const Candidate& b) {
  return a.probability > b.probability || (a.probability == b.probability && a.token < b.token);
}

double sum(std::span<const Candidate> candidates) {
  double total = 0;
  for (const Candidate& c : candidates) total += static_cast<double>(c.probability);
  return total;
}

// The last of the fewest likeliest whose probabilities reach `target` together. Source: quickselect
// (Hoare 1961), which looks for a sum here; linear time. REQUIRES: candidates.
Candidate last_of_nucleus(std::vector<Candidate> candidates, double target) {
  auto from = candidates.begin();
  auto to = candidates.end();
  double before = 0;  // What stands before `from` has together.
  while (to - from > 1) {
    const auto middle = from + (to - from) / 2;
    std::nth_element(from, middle, to, likelier);
    const double upper = before + sum({from, middle});
    if (upper >= target) {
      to = middle;
    } else {
      from = middle;
      before = upper;
    }
  }
  return *from;
}

int32_t draw_candidate(std::span<const Candidate> candidates, double random) {
  double target = random * sum(candidates);
  for (const Candidate& c : candidates) {
    target -= static_cast<double>(c.probability);
    if (target < 0) return c.token;
  }
  return candidates.back().token;
}

// The sum of a block in eight lanes, which the compiler adds side by side.
double block_sum(std::span<const float> values) {
  float lanes[8] = {};
  size_t i = 0;
  for (; i + 8 <= values.size(); i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) lanes[lane] += values[i + lane];
  }
  for (; i < values.size(); ++i) lanes[0] += values[i];
  double total = 0;
  for (const float lane : lanes) total += static_cast<double>(lane);
  return total;
}

// Of all tokens: first the block, then the token in it.
int32_t draw_any(std::span<const float> probabilities, double random) {
  constexpr size_t kBlock = 256;
  std::vector<double> sums;
  double total = 0;
  for (size_t i = 0; i < probabilities.size(); i += kBlock) {
    sums.push_back(block_sum(probabilities.subspan(i, std::min(kBlock, probabilities.size() - i))));
    total += sums.back();
  }
  double target = random * total;
  size_t last = 0;  // Of the blocks that can be drawn, where rounding left none.
  for (size_t block = 0; block < sums.size(); ++block) {
    if (sums[block] == 0) continue;
    last = block;
    if (target < sums[block]) break;
    target -= sums[block];
  }
  size_t token = 0;
  for (size_t i = last * kBlock; i < std::min(probabilities.size(), (last + 1) * kBlock); ++i) {
    if (probabilities[i] == 0) continue;
    token = i;
    target -= static_cast<double>(probabilities[i]);
    if (target < 0) break;
  }
  return static_cast<int32_t>(token);
}

std::vector<std::pair<int32_t, float>> top_log_probs(std::span<const float> logits, float norm,
                                                     int count) {
  if (count == 0) return {};
  std::vector<Candidate> best;
  gather_largest(logits, count, kForbidden, best);
  const auto kept = std::min<int64_t>(count, std::ssize(best));
  std::partial_sort(best.begin(), best.begin() + kept, best.end(), likelier);
  std::vector<std::pair<int32_t, float>> top;
  for (int64_t i = 0; i < kept; ++i) {
    const Candidate& c = best[static_cast<size_t>(i)];
    top.emplace_back(c.token, c.probability - norm);
  }
  return top;
}

}  // namespace

Result<void> check(const SamplingOptions& options, int64_t vocabulary) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto at_least_zero = [](float x) { return x >= 0 && x <= kLargest; };
  if (!at_least_zero(options.temperature)) {
    return invalid("temperature",
                   "has to be 0 or more, not " + std::to_string(options.temperature));
  }
  if (options.top_k < 0) {
    return invalid("top_k",
                   "has to be 0 (all tokens) or more, not " + std::to_string(options.top_k));
  }
  QT_TRY_VOID(check_range("top_p", options.top_p, 0, 1));
  QT_TRY_VOID(check_range("min_p", options.min_p, 0, 1));
  // As far as a penalty can be meant; beyond, logits overflow.
  QT_TRY_VOID(check_range("repetition_penalty", options.repetition_penalty, 0.01f, 100));
  QT_TRY_VOID(check_range("presence_penalty", options.presence_penalty, -2, 2));
  QT_TRY_VOID(check_range("frequency_penalty", options.frequency_penalty, -2, 2));
  if (options.top_log_probs < 0 || options.top_log_probs > vocabulary) {
    return invalid("top_log_probs", "has to lie from 0 to " + std::to_string(vocabulary) +
                                        ", not be " + std::to_string(options.top_log_probs));
  }
  return check_bias(options.logit_bias, vocabulary);
}

Sampler::Sampler(SamplingOptions options, std::span<const int32_t> prompt)
    : options_(std::move(options)), random_(options_.seed) {
  if (options_.repetition_penalty == 1) return;
  for (const int32_t token : prompt) counts_.try_emplace(token, 0);
}

std::optional<int64_t> Sampler::exact_logits() const {
  if (changes_logits()) return std::nullopt;
  if (!greedy() && options_.top_k == 0) return std::nullopt;
  const int64_t drawn = greedy() ? 1 : options_.top_k;
  return std::max<int64_t>(drawn, options_.top_log_probs);
}

bool Sampler::changes_logits() const {
  return options_.repetition_penalty != 1 || options_.presence_penalty != 0 ||
         options_.frequency_penalty != 0 || !options_.logit_bias.empty();
}

void Sampler::add_bias_and_penalties() {
  for (const auto& [token, bias] : options_.logit_bias) scores_[static_cast<size_t>(token)] += bias;
  const float penalty = options_.repetition_penalty;
  for (const auto& [token, count] : counts_) {
    // Placeholders of other modalities have no logit.
    if (token < 0 || token >= std::ssize(scores_)) continue;
    float& score = scores_[static_cast<size_t>(token)];
    score = score < 0 ? score * penalty : score / penalty;
    if (count == 0) continue;
    score -= options_.presence_penalty + options_.frequency_penalty * static_cast<float>(count);
  }
}

Result<int32_t> Sampler::change_logits(std::span<const float> logits) {
  QT_CHECK(!logits.empty());
  QT_TRY_VOID(check_numbers(logits));
  if (!greedy() || changes_logits()) {
    scores_.assign(logits.begin(), logits.end());
    add_bias_and_penalties();
    logits = scores_;
  }
  const int64_t best = kernels::argmax(logits.data(), std::ssize(logits));
  const float largest = logits[static_cast<size_t>(best)];
  if (largest == kForbidden) {
    return Error(Code::kInvalidArgument,
                 "every token is forbidden: rules and logit_bias have to leave one");
  }
  if (std::isinf(largest)) {
    return Error(Code::kInvalidArgument, "repetition_penalty makes the logit of token " +
                                             std::to_string(best) +
                                             " infinite: it has to be nearer to 1");
  }
  return static_cast<int32_t>(best);
}

void Sampler::apply_temperature(float largest) {
  // Differences first: a logit over a tiny temperature would be infinite.
  for (float& x : scores_) x = (x - largest) / options_.temperature;
  kernels::softmax(scores_.data(), std::ssize(scores_));
}

void Sampler::gather_top_k() {
  gather_largest(scores_, options_.top_k, 0, candidates_);
  if (std::ssize(candidates_) <= options_.top_k) return;
  std::vector<float> values;
  for (const Candidate& c : candidates_) values.push_back(c.probability);
  const float least = ith_largest(std::move(values), options_.top_k);
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
}

// All that top_p and min_p can keep. Most of a vocabulary is too unlikely to be looked at.
void Sampler::gather_likeliest() {
  const std::vector<float> maxima = block_maxima(scores_);
  const float best = *std::max_element(maxima.begin(), maxima.end());
  if (options_.top_p == 1) return gather(scores_, maxima, best * options_.min_p, 0, candidates_);
  for (const float share : {1e-2f, 1e-4f, 1e-7f, 0.0f}) {
    gather(scores_, maxima, best * share, 0, candidates_);
    if (sum(candidates_) >= static_cast<double>(options_.top_p)) return;
  }
}

void Sampler::keep_nucleus() {
  // Of all tokens the probabilities sum up to 1.
  const double total = options_.top_k > 0 ? sum(candidates_) : 1;
  const Candidate last = last_of_nucleus(candidates_, total * static_cast<double>(options_.top_p));
  std::erase_if(candidates_, [&](const Candidate& c) { return likelier(last, c); });
}

void Sampler::truncate() {
  if (options_.top_k > 0) {
    gather_top_k();
  } else {
    gather_likeliest();
  }
  if (options_.top_p < 1) keep_nucleus();
  const float best = std::max_element(candidates_.begin(), candidates_.end(),
                                      [](const Candidate& a, const Candidate& b) {
                                        return a.probability < b.probability;
                                      })
                         ->probability;
  std::erase_if(candidates_,
                [&](const Candidate& c) { return c.probability < best * options_.min_p; });
}

// Source: SplitMix64, Steele, Lea and Flood 2014. The standard library's distributions differ
// between implementations.
double Sampler::uniform() {
  random_ += 0x9e3779b97f4a7c15u;
  uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

Result<Sampler::Choice> Sampler::choose(std::span<const float> logits) {
  QT_TRY(const int32_t best, change_logits(logits));
  Choice choice{.token = best};
  if (!greedy()) {
    apply_temperature(scores_[static_cast<size_t>(best)]);
    const double random = uniform();
    if (options_.top_k == 0 && options_.top_p == 1 && options_.min_p == 0) {
      choice.token = draw_any(scores_, random);
    } else {
      truncate();
      choice.token = draw_candidate(candidates_, random);
    }
  }
  const float norm = kernels::log_sum_exp(logits.data(), std::ssize(logits));
  choice.log_prob = logits[static_cast<size_t>(choice.token)] - norm;
  choice.top = top_log_probs(logits, norm, options_.top_log_probs);
  return choice;
}

Result<std::span<const Candidate>> Sampler::distribution(std::span<const float> logits) {
  QT_TRY(const int32_t best, change_logits(logits));
  if (greedy()) {
    candidates_ = {{best, 1}};
  } else {
    apply_temperature(scores_[static_cast<size_t>(best)]);
    truncate();
  }
  return std::span<const Candidate>(candidates_);
}

}  // namespace quintet::decode
