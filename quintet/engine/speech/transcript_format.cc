#include "quintet/engine/speech/transcript_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "quintet/engine/speech/vocabulary.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet {
namespace {

using json = nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, TranscriptFormat>, 5> kFormats = {{
    {"text", TranscriptFormat::kText},
    {"json", TranscriptFormat::kJson},
    {"srt", TranscriptFormat::kSrt},
    {"vtt", TranscriptFormat::kVtt},
    {"verbose_json", TranscriptFormat::kVerboseJson},
}};

// 3661.5 -> "01:01:01,500"
std::string clock_time(double seconds, char decimal_mark) {
  const auto ms = static_cast<long long>(std::llround(seconds * 1000));
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%02lld:%02lld:%02lld%c%03lld", ms / 3600000,
                ms / 60000 % 60, ms / 1000 % 60, decimal_mark, ms % 1000);
  return text.data();
}

std::string without_leading_space(const std::string& text) {
  return text.starts_with(' ') ? text.substr(1) : text;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t valid = io::valid_utf8_bytes(text, at);
    out += text.substr(at, valid);
    at += valid;
    if (at == text.size()) break;
    out += "\xEF\xBF\xBD";  // U+FFFD, once for all that is left of a character.
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  }
  return out;
}

std::string subtitles(const Transcript& transcript, char decimal_mark, bool numbered) {
  std::string out;
  for (const Segment& s : transcript.segments) {
    if (numbered) out += std::to_string(s.id + 1) + "\n";
    std::string text = valid_utf8(without_leading_space(s.text));
    // An empty line ends a cue.
    std::replace(text.begin(), text.end(), '\n', ' ');
    // The arrow separates times; inside text it would end the cue. "--->" makes a new one.
    for (size_t at = text.find("-->"); at != std::string::npos; at = text.find("-->")) {
      text.replace(at, 3, "->");
    }
    out += clock_time(s.start_seconds, decimal_mark) + " --> " +
           clock_time(s.end_seconds, decimal_mark) + "\n" + text + "\n\n";
  }
  return out;
}

// Rounded as they are printed, so that 0.1f does not become 0.10000000149. Dividing by a power of
// ten is exact to the last digit; multiplying by 0.000001 is not.
double milli(double value) { return std::round(value * 1e3) / 1e3; }
double micro(double value) { return std::round(value * 1e6) / 1e6; }

json segment_json(const Segment& s) {
  return {{"id", s.id},
          {"start", milli(s.start_seconds)},
          {"end", milli(s.end_seconds)},
          {"text", s.text},
          {"tokens", s.tokens},
          {"temperature", milli(static_cast<double>(s.temperature))},
          {"avg_logprob", micro(static_cast<double>(s.average_log_prob))},
          {"compression_ratio", micro(static_cast<double>(s.compression_ratio))},
          {"no_speech_prob", micro(static_cast<double>(s.no_speech_probability))}};
}

std::string verbose_json(const Transcript& t, Task task) {
  json object = {{"task", task == Task::kTranslate ? "translate" : "transcribe"},
                 {"language", speech::language_name(t.language)},
                 {"duration", milli(t.duration_seconds)},
                 {"text", t.text},
                 {"segments", json::array()}};
  json words = json::array();
  for (const Segment& s : t.segments) {
    object["segments"].push_back(segment_json(s));
    for (const Word& word : s.words) {
      words.push_back({{"word", without_leading_space(word.text)},
                       {"start", milli(word.start_seconds)},
                       {"end", milli(word.end_seconds)},
                       {"probability", milli(static_cast<double>(word.probability))}});
    }
  }
  if (!words.empty()) object["words"] = std::move(words);
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<TranscriptFormat> parse_transcript_format(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  return Error(Code::kInvalidArgument, "format \"" + std::string(name) +
                                           "\" is unknown; use text, json, srt, vtt or "
                                           "verbose_json");
}

bool shows_timestamps(TranscriptFormat format) {
  return format != TranscriptFormat::kText && format != TranscriptFormat::kJson;
}

std::string format_transcript(const Transcript& transcript, TranscriptFormat format, Task task) {
  switch (format) {
    case TranscriptFormat::kText: return valid_utf8(transcript.text) + "\n";
    case TranscriptFormat::kJson:
      return json{{"text", transcript.text}}.dump(-1, ' ', false, json::error_handler_t::replace) +
             "\n";
    case TranscriptFormat::kSrt: return subtitles(transcript, ',', true);
    case TranscriptFormat::kVtt: return "WEBVTT\n\n" + subtitles(transcript, '.', false);
    case TranscriptFormat::kVerboseJson: return verbose_json(transcript, task);
  }
  return {};
}

}  // namespace quintet
