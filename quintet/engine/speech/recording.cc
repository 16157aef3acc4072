#include "quintet/engine/speech/recording.h"

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"
#include "quintet/engine/speech/word_alignment.h"

namespace quintet::speech {
namespace {

// Below this peak a window holds nothing but rounding: 3 steps of 16-bit audio, -80 dB. The model
// would invent text for it.
constexpr float kSilentPeak = 1e-4f;

// A window cut at silences ends with speech and 0.2 s of silence. Where its last timestamp lies
// further than this before its end, words are missing; nearer, it is as far as timestamps are off.
// With 1.2 s words are lost, from 0.5 s on noise is given words: docs/decisions/0011.
constexpr double kUnheardSeconds = 0.9;

bool inaudible(std::span<const float> samples) {
  return std::all_of(samples.begin(), samples.end(),
                     [](float x) { return std::abs(x) < kSilentPeak; });
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Result<void> check_options(const SpeechContext& context, const TranscribeOptions& options) {
  const auto wrong = [](const std::string& what) { return Error(Code::kInvalidArgument, what); };
  constexpr int kMostSequences = 64;
  if (options.beams < 1 || options.beams > kMostSequences) {
    return wrong("beams is " + std::to_string(options.beams) + ", expected 1 to 64");
  }
  if (options.samples < 1 || options.samples > kMostSequences) {
    return wrong("samples is " + std::to_string(options.samples) + ", expected 1 to 64");
  }
  if (options.temperatures.empty()) return wrong("temperatures is empty, expected at least one");
  for (const float t : options.temperatures) {
    if (!(t >= 0) || !std::isfinite(t)) {
      return wrong("temperature is " + std::to_string(t) + ", expected 0 or more");
    }
  }
  if (options.cut == Cut::kSilences && options.condition_on_previous) {
    return wrong(
        "windows cut at silences are decoded together and cannot be conditioned on the text of "
        "those before: leave out one of the two");
  }
  if (options.cut == Cut::kSilences && context.voice_activity == nullptr) {
    return wrong("to cut at silences, load the model with a voice-activity network");
  }
  if (!options.language.empty()) QT_TRY_VOID(context.vocabulary.language(options.language));
  return {};
}

Recording::Recording(const SpeechContext& context, const TranscribeOptions& options)
    : context_(context), options_(options) {}

Result<std::unique_ptr<Recording>> Recording::open(const SpeechContext& context,
                                                   const SpeechInput& input) {
  QT_TRY_VOID(check_options(context, input.options));
  std::unique_ptr<Recording> recording(new Recording(context, input.options));
  QT_TRY_VOID(recording->begin(input.audio));
  return recording;
}

Result<void> Recording::begin(const AudioInput& audio) {
  if (const auto* samples = std::get_if<std::span<const float>>(&audio)) {
    reader_ = std::make_unique<WindowReader>(*samples);
  } else if (const auto* file = std::get_if<std::filesystem::path>(&audio)) {
    QT_TRY(audio_, io::AudioReader::open(*file));
    reader_ = std::make_unique<WindowReader>(*audio_);
  } else {
    const auto& memory = std::get<AudioBytes>(audio);
    QT_TRY(audio_, io::AudioReader::open(memory.bytes, memory.name));
    reader_ = std::make_unique<WindowReader>(*audio_);
  }
  const int64_t length = context_.model.config.mel_frames() * kernels::kMelHopSamples;
  if (options_.cut == Cut::kSilences) {
    windows_ =
        std::make_unique<SilenceWindows>(*reader_, length, *context_.voice_activity, context_.pool);
  } else {
    windows_ = std::make_unique<TimestampWindows>(*reader_, length);
  }
  if (!options_.language.empty()) {
    QT_TRY(language_, context_.vocabulary.language(options_.language));
    transcript_.language = language_->code;
  }
  if (!options_.initial_prompt.empty()) {
    // Words begin with a space in this vocabulary.
    std::string prompt(1, ' ');
    prompt += trimmed(options_.initial_prompt);
    previous_ = context_.model.tokenizer->encode(prompt);
  }
  return {};
}

WindowRequest Recording::make_request(const AudioWindow& audio) const {
  return {.language = language_,
          .timestamps = options_.timestamps != TimestampMode::kNone || windows_->needs_timestamps(),
          // Elsewhere the next window hears what this one leaves.
          .speech_seconds = independent() ? std::max(0.0, audio.seconds() - kUnheardSeconds) : 0,
          .previous = previous_,
          .temperatures = options_.temperatures};
}

Result<std::optional<Recording::Window>> Recording::next_window() {
  for (;;) {
    if (options_.stop.stop_requested()) return Error(Code::kCancelled, "cancelled by the caller");
    if (detecting_) return std::optional<Window>();
    QT_TRY(std::optional<AudioWindow> audio, windows_->next());
    if (!audio) return std::optional<Window>();
    if (inaudible(audio->samples)) {
      windows_->done(*audio, audio->seconds());
      report_progress(audio->begin_seconds() + audio->seconds());
      continue;
    }
    WindowRequest request = make_request(*audio);
    Window window{.audio = *std::move(audio), .index = given_++, .request = std::move(request)};
    // Text before the first window is not before the second one: that has its own past, or none.
    if (independent()) previous_.clear();
    detecting_ = !language_;
    ++at_work_;
    return std::optional(std::move(window));
  }
}

void Recording::language_detected(const DetectedLanguage& detected) {
  detecting_ = false;
  if (language_) return;
  transcript_.language = detected.language.code;
  transcript_.language_probability = detected.probability;
  // Windows that do not wait for the text of this one need to know now.
  if (independent() && detected.no_speech_probability <= options_.no_speech_threshold) {
    language_ = detected.language;
  }
}

void Recording::finish_window(const Window& window, const WindowDecoder& decoder) {
  const AudioWindow& audio = window.audio;
  const DecodedWindow& decoded = decoder.result();
  double advance_seconds = audio.seconds();
  Finished finished;
  if (!options_.condition_on_previous || decoded.temperature > 0.5f) previous_.clear();
  // A window without speech says nothing about the language of the next.
  if (!decoded.silent(options_)) {
    if (!independent()) language_ = decoder.language();
    WindowSegments cut = cut_segments(decoded, audio.begin_seconds(), audio.seconds(),
                                      independent() ? Rest::kSegment : Rest::kNextWindow,
                                      context_.vocabulary, *context_.model.tokenizer);
    if (options_.timestamps == TimestampMode::kWords) {
      align_words(decoder.window(), context_.model, context_.vocabulary, *decoder.language(),
                  options_.task, audio.begin_seconds(), audio.seconds(), cut.segments);
    }
    finished.segments = std::move(cut.segments);
    advance_seconds = cut.advance_seconds;
  }
  finished.end_seconds = audio.begin_seconds() + std::min(advance_seconds, audio.seconds());
  windows_->done(audio, advance_seconds);
  --at_work_;
  waiting_.emplace(window.index, std::move(finished));
  while (!waiting_.empty() && waiting_.begin()->first == joined_) {
    join(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
    ++joined_;
  }
}

void Recording::join(Finished window) {
  for (Segment& segment : window.segments) {
    segment.id = std::ssize(transcript_.segments);
    transcript_.text += segment.text;
    if (options_.condition_on_previous) {
      std::copy_if(segment.tokens.begin(), segment.tokens.end(), std::back_inserter(previous_),
                   [&](int32_t token) { return context_.vocabulary.is_text(token); });
    }
    transcript_.segments.push_back(std::move(segment));
    if (options_.on_segment) options_.on_segment(transcript_.segments.back());
  }
  report_progress(window.end_seconds);
}

void Recording::report_progress(double done_seconds) const {
  if (options_.on_progress) options_.on_progress(done_seconds, reader_->expected_seconds());
}

Transcript Recording::take_transcript() {
  QT_CHECK(finished());
  transcript_.duration_seconds =
      static_cast<double>(reader_->samples_seen()) / kernels::kMelSampleRateHz;
  transcript_.text = trimmed(transcript_.text);
  transcript_.timings.load = context_.load_ms;
  return std::move(transcript_);
}

}  // namespace quintet::speech
