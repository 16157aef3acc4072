#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace quintet::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};

}  // namespace

int fail(const Error& error) {
  std::string line = error.message();
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "quintet: %s\n", line.c_str());
  if (error.code() == Code::kTargetMissed) return 3;
  return error.code() == Code::kInvalidArgument ? 2 : 1;
}

std::string human_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

bool shows_progress(const Globals& globals) {
  return !globals.quiet && ::isatty(STDERR_FILENO) == 1;
}

nlohmann::ordered_json timings_json(const Timings& t) {
  const auto micro = [](double ms) { return std::round(ms * 1000) / 1000; };
  return {{"load", micro(t.load)},
          {"preprocess", micro(t.preprocess)},
          {"encode", micro(t.encode)},
          {"prefill", micro(t.prefill)},
          {"first_token", micro(t.first_token)},
          {"decode", micro(t.decode)},
          {"total", micro(t.total)}};
}

ProgressBar::ProgressBar(const Globals& globals) : visible_(shows_progress(globals)) {}

std::string seconds(uint64_t count) { return std::to_string(count) + " s"; }
std::string plain_count(uint64_t count) { return std::to_string(count); }

void ProgressBar::update(std::string_view label, uint64_t done, uint64_t total, Amount amount) {
  if (!visible_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < kRedraw) return;
  last_ = now;
  drawn_ = true;
  const std::string name(label.substr(0, 40));
  if (total == 0) {
    std::fprintf(stderr, "\r\033[K%s %s", name.c_str(), done > 0 ? amount(done).c_str() : "");
  } else {
    constexpr int kWidth = 24;
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const auto filled = static_cast<size_t>(share * kWidth);
    const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
    std::fprintf(stderr, "\r\033[K%s [%s] %3.0f %% of %s", name.c_str(), bar.c_str(), 100 * share,
                 amount(total).c_str());
  }
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace quintet::cli
