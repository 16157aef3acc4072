// What a user sees: errors, sizes, progress. Results go to stdout, everything here to stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "quintet/core/result.h"
#include "quintet/engine/timings.h"

namespace quintet::cli {

// Prints "quintet: <message>" as one line; returns the exit code: 2 for kInvalidArgument, 3
// for kTargetMissed, else 1.
int fail(const Error& error);

std::string human_bytes(uint64_t bytes);  // "145.2 MB"
std::string seconds(uint64_t count);      // "12 s"
std::string plain_count(uint64_t count);  // "12"

// {"load": ..., "preprocess": ..., ...}: milliseconds, to the microsecond.
nlohmann::ordered_json timings_json(const Timings& timings);

// Whether somebody looks at stderr: it is a terminal, and --quiet was not given.
bool shows_progress(const Globals& globals);

// A line that redraws itself, only where stderr is a terminal and --quiet is not given.
class ProgressBar {
 public:
  explicit ProgressBar(const Globals& globals);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // How much of a whole is done, and how people write such amounts ("12 s", "3.4 MB"). `total` 0:
  // unknown. Draws ten times a second at most.
  using Amount = std::string (*)(uint64_t);
  void update(std::string_view label, uint64_t done, uint64_t total, Amount amount);
  void clear();

 private:
  bool visible_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace quintet::cli
