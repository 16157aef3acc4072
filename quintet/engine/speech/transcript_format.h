// Transcripts as text, JSON, SubRip and WebVTT.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/engine/speech/transcript.h"

namespace quintet {

enum class TranscriptFormat { kText, kJson, kSrt, kVtt, kVerboseJson };

// "text", "json", "srt", "vtt", "verbose_json". Errors: kInvalidArgument.
Result<TranscriptFormat> parse_transcript_format(std::string_view name);

// True where the format shows the times of segments.
bool shows_timestamps(TranscriptFormat format);

// The transcript in that format, with a line end. JSON: {"text": ...}; verbose_json adds task,
// language (English name), duration, segments and words, named as OpenAI's API names them.
// Tokens that are cut inside a character give U+FFFD.
std::string format_transcript(const Transcript& transcript, TranscriptFormat format, Task task);

}  // namespace quintet
