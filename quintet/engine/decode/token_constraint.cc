#include "quintet/engine/decode/token_constraint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace quintet::decode {

TokenConstraint::TokenConstraint(std::shared_ptr<const VocabularyTrie> vocabulary,
                                 const JsonGrammar& grammar, std::vector<int32_t> end_tokens)
    : vocabulary_(std::move(vocabulary)),
      end_tokens_(std::move(end_tokens)),
      state_(grammar),
      path_(vocabulary_->longest_token() + 1, state_) {}

bool TokenConstraint::is_end(int32_t token) const {
  return std::ranges::find(end_tokens_, token) != end_tokens_.end();
}

bool TokenConstraint::allows(int32_t token) {
  if (token < 0) return false;
  if (is_end(token)) return finished_ || state_.can_end();
  if (finished_ || token >= vocabulary_->vocabulary()) return false;
  return has_token(allowed_tokens(), token);
}

Result<void> TokenConstraint::accept(int32_t token) {
  if (allows(token)) {
    if (is_end(token)) {
      finished_ = true;
      return {};
    }
    if (state_.accept(vocabulary_->text(token))) return {};
  }
  return Error(Code::kInvalidArgument,
               "token " + std::to_string(token) + " may not follow: it breaks the JSON schema");
}

Result<void> TokenConstraint::mask(std::span<float> logits) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  static const TokenSet kNothing;
  const TokenSet& allowed = finished_ ? kNothing : allowed_tokens();
  const bool may_end = finished_ || state_.can_end();
  std::vector<std::pair<size_t, float>> ends;
  for (const int32_t token : end_tokens_) {
    if (may_end && token >= 0 && static_cast<size_t>(token) < logits.size()) {
      ends.emplace_back(static_cast<size_t>(token), logits[static_cast<size_t>(token)]);
    }
  }
  bool alive = false;
  for (size_t begin = 0; begin < logits.size(); begin += 64) {
    const uint64_t word = begin / 64 < allowed.size() ? allowed[begin / 64] : 0;
    const auto part = logits.subspan(begin, std::min<size_t>(64, logits.size() - begin));
    for (size_t i = 0; i < part.size(); ++i) {
      if ((word >> i & 1) == 0) part[i] = kForbidden;
      alive = alive || std::isfinite(part[i]);
    }
  }
  for (const auto& [token, logit] : ends) {
    logits[token] = logit;
    alive = alive || std::isfinite(logit);
  }
  if (alive) return {};
  return Error(Code::kUnsupported,
               "no token of the vocabulary can go on with the text that the JSON schema wants");
}

const TokenSet& TokenConstraint::allowed_tokens() {
  constexpr size_t kMaxKnown = 512;  // 6 KB each for a vocabulary of 50 000.
  auto& known = known_[state_.hash()];
  for (const Known& entry : known) {
    if (entry.state == state_) return entry.allowed;
  }
  TokenSet allowed = work_out(state_);
  if (known_count_ >= kMaxKnown) {
    known_.clear();
    known_count_ = 0;
  }
  ++known_count_;
  auto& entries = known_[state_.hash()];
  entries.push_back({state_, std::move(allowed)});
  return entries.back().allowed;
}

TokenSet TokenConstraint::work_out(const JsonState& state) {
  const auto longest = static_cast<uint32_t>(vocabulary_->longest_token());
  const auto inside = state.open_string(longest);
  TokenSet allowed = inside ? vocabulary_->inside_string(inside->state, inside->escapes)
                            : vocabulary_->empty_set();
  path_[0] = state;
  const auto nodes = vocabulary_->nodes();
  for (size_t i = 0; i < nodes.size();) {
    const VocabularyTrie::Node& node = nodes[i];
    // Inside a string only tokens that may end it are still to be looked at.
    const bool known = inside && !node.quote;
    if (known || !path_[node.depth].step(node.byte, path_[node.depth + size_t{1}])) {
      i = node.end;
      continue;
    }
    for (uint32_t t = node.first_token; t < node.last_token; ++t) {
      insert_token(allowed, vocabulary_->tokens()[t]);
    }
    ++i;
  }
  for (const int32_t token : end_tokens_) {
    if (token >= 0 && token < vocabulary_->vocabulary()) {
      allowed[static_cast<size_t>(token) / 64] &= ~(uint64_t{1} << (token % 64));
    }
  }
  return allowed;
}

}  // namespace quintet::decode
