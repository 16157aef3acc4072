#include "quintet/engine/decode/rules.h"

#include <algorithm>
#include <limits>

#include "quintet/kernels/softmax/softmax.h"

namespace quintet::decode {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

void forbid(std::span<float> logits, int64_t first, int64_t last) {
  const auto size = static_cast<int64_t>(logits.size());
  first = std::clamp<int64_t>(first, 0, size);
  last = std::clamp<int64_t>(last, first, size);
  std::fill(logits.begin() + first, logits.begin() + last, kForbidden);
}

void forbid_each(std::span<float> logits, const std::vector<int32_t>& tokens) {
  for (const int32_t token : tokens) forbid(logits, token, int64_t{token} + 1);
}

// The largest of a range, and log(sum(exp)) of it; -inf where all are forbidden.
float largest(std::span<const float> logits) {
  if (logits.empty()) return kForbidden;
  const int64_t i = kernels::argmax(logits.data(), static_cast<int64_t>(logits.size()));
  return logits[static_cast<size_t>(i)];
}

float log_mass(std::span<const float> logits) {
  if (largest(logits) == kForbidden) return kForbidden;
  return kernels::log_sum_exp(logits.data(), static_cast<int64_t>(logits.size()));
}

}  // namespace

SuppressRule::SuppressRule(std::vector<int32_t> always, std::vector<int32_t> at_begin)
    : always_(std::move(always)), at_begin_(std::move(at_begin)) {}

void SuppressRule::apply(std::span<const int32_t> generated, std::span<float> logits) const {
  forbid_each(logits, always_);
  if (generated.empty()) forbid_each(logits, at_begin_);
}

void TimestampRule::apply(std::span<const int32_t> generated, std::span<float> logits) const {
  const int64_t first = options_.first_timestamp;
  const auto end = static_cast<int64_t>(logits.size());
  const auto is_timestamp = [&](size_t back) {
    return generated.size() >= back && generated[generated.size() - back] >= first;
  };
  if (generated.empty()) {
    forbid(logits, 0, first);
    forbid(logits, first + options_.max_initial + 1, end);
    return;
  }
  const bool last_was = is_timestamp(1);
  // A lone timestamp at the very beginning counts as the second of a pair: text must follow.
  const bool pair_complete = generated.size() < 2 || is_timestamp(2);
  if (last_was && generated.size() > 1 && generated.back() - first < options_.earliest_end) {
    forbid(logits, options_.end_of_text, int64_t{options_.end_of_text} + 1);
  }
  if (last_was && pair_complete) forbid(logits, first, end);
  if (last_was && !pair_complete) forbid(logits, 0, options_.end_of_text);

  const auto latest = std::find_if(generated.rbegin(), generated.rend(),
                                   [&](int32_t token) { return token >= first; });
  if (latest != generated.rend()) {
    // The begin of a segment may equal the end of the one before; an end lies after its begin.
    const bool may_repeat = last_was && !pair_complete;
    forbid(logits, first, *latest + (may_repeat ? 0 : 1));
  }
  const auto text = logits.first(static_cast<size_t>(first));
  const auto timestamps = logits.subspan(static_cast<size_t>(first));
  if (log_mass(timestamps) > largest(text)) forbid(logits, 0, first);
}

}  // namespace quintet::decode
