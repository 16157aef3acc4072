#pragma once

#include <chrono>

#include "quintet/core/trace.h"

namespace quintet::speech {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Adds the time up to its end, or to stop(), to one of the Timings, and records it as a span.
class StageTimer {
 public:
  StageTimer(trace::Recorder* recorder, const char* name, double& milliseconds)
      : scope_(recorder, name), milliseconds_(milliseconds) {}
  ~StageTimer() { stop(); }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    scope_.close();
    milliseconds_ += milliseconds_since(start_);
  }

 private:
  Clock::time_point start_ = Clock::now();  // Before the span begins: it lies within.
  trace::Scope scope_;
  double& milliseconds_;
  bool stopped_ = false;
};

}  // namespace quintet::speech
