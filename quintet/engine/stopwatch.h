#pragma once

#include <chrono>
#include <utility>

namespace quintet {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Time in pieces that add up to all of it.
class LapClock {
 public:
  // Milliseconds since the lap before.
  double lap() {
    const Clock::time_point now = Clock::now();
    const Clock::time_point before = std::exchange(last_, now);
    return std::chrono::duration<double, std::milli>(now - before).count();
  }

 private:
  Clock::time_point last_ = Clock::now();
};

}  // namespace quintet
