#include "quintet/engine/decode/prompt_lookup.h"

#include <algorithm>

#include "quintet/core/check.h"

namespace quintet::decode {
namespace {

// Of tokens after a match before anything is known: 0.7 makes the first proposals four tokens long
// at the default cost.
constexpr float kFirstRate = 0.7f;
// How much one token changes a rate: the last ten count most.
constexpr float kLearn = 0.1f;
// A match that is not worth a proposal brings its rate nearer to the first one, so that it is tried
// again: where nothing is ever right, one token in about 13 passes.
constexpr float kForget = 0.003f;

}  // namespace

PromptLookup::PromptLookup(const PromptLookupOptions& options)
    : options_(options), rates_(static_cast<size_t>(options.longest_match + 1), kFirstRate) {
  QT_CHECK_LE(1, options.shortest_match);
  QT_CHECK_LE(options.shortest_match, options.longest_match);
  QT_CHECK_LE(options.longest_match, 16);
}

void PromptLookup::append(std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) append_one(token);
}

void PromptLookup::append_one(int32_t token) {
  learn(token);
  // Now that a token follows, what ends here can be matched.
  const auto end = std::ssize(tokens_);
  for (int64_t n = options_.shortest_match; n <= std::min(options_.longest_match, end); ++n) {
    ends_[key(end, n)] = end;
  }
  tokens_.push_back(token);
}

void PromptLookup::learn(int32_t token) {
  if (checked_ == std::ssize(proposal_)) return;
  const bool right = token == proposal_[static_cast<size_t>(checked_)];
  rate(matched_) += kLearn * ((right ? 1.0f : 0.0f) - rate(matched_));
  ++checked_;
  // What stands behind a wrong token says nothing.
  if (!right) checked_ = std::ssize(proposal_);
}

std::span<const int32_t> PromptLookup::propose(int64_t limit) {
  proposal_.clear();
  checked_ = 0;
  const auto size = std::ssize(tokens_);
  for (int64_t n = std::min(options_.longest_match, size); n >= options_.shortest_match; --n) {
    const int64_t from = find(n);
    if (from == 0) continue;
    matched_ = n;
    const int64_t worth = worthwhile(rate(n));
    if (worth == 0) rate(n) += kForget * (kFirstRate - rate(n));
    // Behind the end the proposal goes on with itself: a text that repeats goes on repeating.
    for (int64_t i = 0; i < std::min(worth, limit); ++i) {
      const auto at = static_cast<size_t>(from + i);
      proposal_.push_back(at < tokens_.size() ? tokens_[at] : proposal_[at - tokens_.size()]);
    }
    break;
  }
  return proposal_;
}

// FNV-1a over tokens; runs of different lengths begin differently. Equal keys are compared.
uint64_t PromptLookup::key(int64_t end, int64_t length) const {
  uint64_t hash = 0xcbf29ce484222325u + static_cast<uint64_t>(length);
  for (int64_t i = end - length; i < end; ++i) {
    hash = (hash ^ static_cast<uint32_t>(tokens_[static_cast<size_t>(i)])) * 0x100000001b3u;
  }
  return hash ^ hash >> 32;
}

int64_t PromptLookup::find(int64_t length) const {
  const auto size = std::ssize(tokens_);
  const auto found = ends_.find(key(size, length));
  if (found == ends_.end() || found->second < length) return 0;
  const auto last = tokens_.end() - length;
  const auto before = tokens_.begin() + found->second - length;
  return std::equal(last, tokens_.end(), before) ? found->second : 0;
}

int64_t PromptLookup::worthwhile(float rate) const {
  int64_t length = 0;
  for (float right = rate; right > options_.cost_of_a_token; right *= rate) {
    if (length == options_.longest_proposal) break;
    ++length;
  }
  return length;
}

}  // namespace quintet::decode
