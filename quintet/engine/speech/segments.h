// From the tokens of a window to timed segments, and to where the next window begins.
#pragma once

#include <cstdint>
#include <vector>

#include "quintet/engine/speech/transcript.h"
#include "quintet/engine/speech/vocabulary.h"
#include "quintet/engine/speech/window_decoder.h"

namespace quintet::speech {

struct WindowSegments {
  std::vector<Segment> segments;  // Times are absolute. Segments without text are left out.
  double advance_seconds = 0;     // From the begin of this window to that of the next; above 0.
};

// What becomes of tokens behind the last complete segment.
enum class Rest {
  kNextWindow,  // They are left to the next window, which begins there.
  kSegment,     // They are a segment that ends with the window.
};

// Cuts `window`, which covers `length_seconds` from `begin_seconds` on, at its timestamp pairs.
// There is no rest where the window ends with a single timestamp (nothing is said after it) or has
// none. Source: openai/whisper transcribe.py.
WindowSegments cut_segments(const DecodedWindow& window, double begin_seconds,
                            double length_seconds, Rest rest, const Vocabulary& vocabulary,
                            const io::BpeTokenizer& tokenizer);

}  // namespace quintet::speech
