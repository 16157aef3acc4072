#include "quintet/engine/speech/segments.h"

#include <algorithm>

namespace quintet::speech {
namespace {

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// Collects segments with what the window says about all of them.
class Cutter {
 public:
  Cutter(const DecodedWindow& window, double begin_seconds, double length_seconds,
         const Vocabulary& vocabulary, const io::BpeTokenizer& tokenizer)
      : window_(window),
        begin_(begin_seconds),
        length_(length_seconds),
        vocabulary_(vocabulary),
        tokenizer_(tokenizer) {}

  // Tokens [first, last), from `start` to `end` seconds within the window.
  void add(size_t first, size_t last, double start, double end) {
    Segment segment;
    const auto at = [](const auto& values, size_t i) {
      return values.begin() + static_cast<int64_t>(i);
    };
    segment.tokens.assign(at(window_.tokens, first), at(window_.tokens, last));
    segment.token_log_probs.assign(at(window_.log_probs, first), at(window_.log_probs, last));
    std::vector<int32_t> text;
    for (const int32_t token : segment.tokens) {
      if (vocabulary_.is_text(token)) text.push_back(token);
    }
    segment.text = tokenizer_.decode(text);
    if (blank(segment.text)) return;
    // The model may place an end in the padding behind the audio.
    segment.start_seconds = begin_ + std::min(start, length_);
    segment.end_seconds = begin_ + std::clamp(end, std::min(start, length_), length_);
    segment.temperature = window_.temperature;
    segment.average_log_prob = window_.average_log_prob;
    segment.compression_ratio = window_.compression_ratio;
    segment.no_speech_probability = window_.no_speech_probability;
    result_.segments.push_back(std::move(segment));
  }

  WindowSegments finish(double advance) {
    // Never less than a frame of the encoder, or a window could repeat for ever.
    constexpr double kLeast = 0.02;
    result_.advance_seconds = std::max(advance, kLeast);
    return std::move(result_);
  }

 private:
  const DecodedWindow& window_;
  double begin_;
  double length_;
  const Vocabulary& vocabulary_;
  const io::BpeTokenizer& tokenizer_;
  WindowSegments result_;
};

}  // namespace

WindowSegments cut_segments(const DecodedWindow& window, double begin_seconds,
                            double length_seconds, Rest rest, const Vocabulary& v,
                            const io::BpeTokenizer& tokenizer) {
  Cutter cutter(window, begin_seconds, length_seconds, v, tokenizer);
  const std::vector<int32_t>& tokens = window.tokens;
  const auto timestamp_at = [&](size_t i) { return v.is_timestamp(tokens[i]); };
  const size_t size = tokens.size();
  const bool ends_with_single = size >= 2 && timestamp_at(size - 1) && !timestamp_at(size - 2);

  std::vector<size_t> cuts;  // Index of the second timestamp of each pair.
  for (size_t i = 1; i < size; ++i) {
    if (timestamp_at(i) && timestamp_at(i - 1)) cuts.push_back(i);
  }
  if (cuts.empty()) {
    const double start = size > 0 && timestamp_at(0) ? v.seconds(tokens[0]) : 0;
    const auto last = std::find_if(tokens.rbegin(), tokens.rend(),
                                   [&](int32_t token) { return v.is_timestamp(token); });
    const bool ended =
        last != tokens.rend() && *last != v.first_timestamp && last + 1 != tokens.rend();
    cutter.add(0, size, start, ended ? v.seconds(*last) : length_seconds);
    return cutter.finish(length_seconds);
  }
  if (ends_with_single) cuts.push_back(size);
  size_t first = 0;
  for (const size_t cut : cuts) {
    const double start = timestamp_at(first) ? v.seconds(tokens[first]) : 0;
    cutter.add(first, cut, start, v.seconds(tokens[cut - 1]));
    first = cut;
  }
  if (ends_with_single) return cutter.finish(length_seconds);
  if (rest == Rest::kNextWindow) return cutter.finish(v.seconds(tokens[first - 1]));
  cutter.add(first, size, v.seconds(tokens[first]), length_seconds);
  return cutter.finish(length_seconds);
}

}  // namespace quintet::speech
