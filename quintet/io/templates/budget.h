// What one rendering may cost. A template comes from outside: it may loop, recurse or grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "quintet/core/result.h"

namespace quintet::io {

struct TemplateLimits {
  size_t source_bytes = size_t{256} << 10;  // Length of the template.
  int parse_depth = 96;                     // Blocks and brackets inside each other.
  int expression_height = 200;              // Operations that wait for each other's result.
  int run_depth = 400;                      // The same while rendering, across macros.
  int value_depth = 100;                    // Lists and dictionaries inside each other.
  int64_t steps = 4'000'000;                // Operations, and 16 bytes each that they touch.
  size_t value_bytes = size_t{16} << 20;    // One value, everything in it counted.
  size_t output_bytes = size_t{16} << 20;   // The rendered text.
};

namespace templates {

// Counts the steps of one rendering. Errors name the limit, not the place: the caller adds that.
class Budget {
 public:
  explicit Budget(const TemplateLimits& limits) : limits_(limits) {}

  const TemplateLimits& limits() const { return limits_; }

  // One operation that touches `bytes`. Errors: kExhausted.
  Result<void> charge(size_t bytes = 0) {
    constexpr size_t kBytesPerStep = 16;
    steps_ += 1 + static_cast<int64_t>(bytes / kBytesPerStep);
    if (steps_ <= limits_.steps) return {};
    return Error(Code::kExhausted,
                 "takes more than " + std::to_string(limits_.steps) + " steps, the limit");
  }

  // Asked before a value of so many bytes is made, which it also charges. Errors: kExhausted.
  Result<void> allow_value(size_t bytes) {
    if (bytes <= limits_.value_bytes) return charge(bytes);
    return Error(Code::kExhausted, "makes a value of more than " +
                                       std::to_string(limits_.value_bytes) + " bytes, the limit");
  }

  // Errors: kExhausted where too many Levels are open.
  Result<void> check_depth() const {
    if (depth_ <= limits_.run_depth) return {};
    return Error(Code::kExhausted,
                 "recurses deeper than " + std::to_string(limits_.run_depth) + ", the limit");
  }

  // Open while its scope is.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) { ++budget_.depth_; }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  const TemplateLimits limits_;
  int64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace templates
}  // namespace quintet::io
