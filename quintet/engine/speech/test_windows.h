// What must hold for the windows of any recording.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/engine/speech/speech_windows.h"

namespace quintet::speech::testing {

// Windows are in order, apart, inside the audio and no longer than allowed; cutting piece by piece
// gives the same ones, none before the announced sample.
inline std::vector<SpeechWindow> checked_windows(std::span<const float> probabilities,
                                                 int64_t samples, const VadOptions& options,
                                                 size_t piece) {
  const std::vector<SpeechWindow> windows = speech_windows(probabilities, samples, options);
  int64_t before = 0;
  for (const SpeechWindow& window : windows) {
    QT_CHECK_LE(before, window.begin);
    QT_CHECK_LT(window.begin, window.end);
    QT_CHECK_LE(window.end - window.begin, options.max_window_ms * 16);
    before = window.end;
  }
  QT_CHECK_LE(before, samples);

  SpeechCutter cutter(options);
  std::vector<SpeechWindow> found;
  int64_t earliest = 0;
  while (!probabilities.empty()) {
    const size_t count = std::min(piece, probabilities.size());
    const size_t known = found.size();
    cutter.add(probabilities.first(count), found);
    probabilities = probabilities.subspan(count);
    if (found.size() > known) QT_CHECK_LE(earliest, found[known].begin);
    QT_CHECK_LE(earliest, cutter.earliest_begin());
    earliest = cutter.earliest_begin();
  }
  const size_t known = found.size();
  cutter.finish(samples, found);
  if (found.size() > known) QT_CHECK_LE(earliest, found[known].begin);
  QT_CHECK(found == windows);
  return windows;
}

}  // namespace quintet::speech::testing
