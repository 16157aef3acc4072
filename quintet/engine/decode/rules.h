// Rules that take tokens out of the choice before one is picked.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace quintet::decode {

// Sets logits of forbidden tokens to -inf, and twice does what once does. Always leaves one finite.
class LogitRule {
 public:
  virtual ~LogitRule() = default;
  // Whether it compares logits with each other; then estimates are refined before.
  virtual bool compares() const { return false; }
  // `generated`: the tokens chosen since the prompt.
  virtual void apply(std::span<const int32_t> generated, std::span<float> logits) const = 0;
};

// Tokens that are never produced, and tokens that are not produced first.
class SuppressRule final : public LogitRule {
 public:
  SuppressRule(std::vector<int32_t> always, std::vector<int32_t> at_begin);
  void apply(std::span<const int32_t> generated, std::span<float> logits) const override;

 private:
  std::vector<int32_t> always_;
  std::vector<int32_t> at_begin_;
};

// Timestamps are the tokens from `first_timestamp` on, in steps of 20 ms. They come in pairs (end
// of a segment, begin of the next), never decrease, stand first, and win over text where they
// together are likelier than the likeliest text token. Source: Radford et al. 2022, section 4.5;
// openai/whisper decoding.py ApplyTimestampRules. `earliest_end` is ours: text that is followed by
// an earlier timestamp goes on. Without any text the end stays possible.
struct TimestampRuleOptions {
  int32_t first_timestamp = 0;
  int32_t end_of_text = 0;   // Text tokens lie below it.
  int32_t max_initial = 50;  // Highest first timestamp, in steps: 1 s.
  int32_t earliest_end = 0;  // In steps.
};
class TimestampRule final : public LogitRule {
 public:
  explicit TimestampRule(const TimestampRuleOptions& options) : options_(options) {}
  bool compares() const override { return true; }
  void apply(std::span<const int32_t> generated, std::span<float> logits) const override;

 private:
  TimestampRuleOptions options_;
};

using LogitRules = std::vector<std::unique_ptr<LogitRule>>;

}  // namespace quintet::decode
