#include "quintet/engine/speech/transcriber.h"

#include <algorithm>
#include <cmath>

#include "quintet/engine/speech/exact_length.h"
#include "quintet/engine/speech/segments.h"
#include "quintet/engine/speech/stationarity.h"
#include "quintet/engine/speech/word_alignment.h"

namespace quintet::speech {
namespace {

// Below this peak a window holds nothing but rounding: 3 steps of 16-bit audio, -80 dB. The model
// would invent text for it.
constexpr float kSilentPeak = 1e-4f;

// Between steady noise (1.2 dB) and speech in noise of four times its power (1.7 dB): see
// modulation_db. Alone it decides nothing: the model, too, must hear no speech.
constexpr float kSteadyNoiseDb = 1.5f;

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

double Transcriber::Window::begin_seconds() const {
  return static_cast<double>(begin) / kernels::kMelSampleRateHz;
}

double Transcriber::Window::seconds() const {
  return static_cast<double>(samples.size()) / kernels::kMelSampleRateHz;
}

Transcriber::Transcriber(const whisper::Model& model, const Vocabulary& vocabulary,
                         const kernels::MelFilter& mel, ThreadPool& pool, whisper::Session& session,
                         const TranscribeOptions& options)
    : model_(model),
      vocabulary_(vocabulary),
      mel_(mel),
      pool_(pool),
      session_(session),
      options_(options) {}

Result<Transcript> Transcriber::run(WindowReader& reader) {
  started_ = Clock::now();
  session_.runtime().trace = options_.trace;
  if (!options_.language.empty()) {
    QT_TRY(language_, vocabulary_.language(options_.language));
    transcript_.language = language_->code;
  }
  if (!options_.initial_prompt.empty()) {
    // Words begin with a space in this vocabulary.
    std::string prompt(1, ' ');
    prompt += trimmed(options_.initial_prompt);
    previous_ = model_.tokenizer->encode(prompt);
  }
  const int64_t window_samples = model_.config.mel_frames() * kernels::kMelHopSamples;
  int64_t begin = 0;
  for (bool first = true;; first = false) {
    if (options_.stop.stop_requested()) return Error(Code::kCancelled, "cancelled by the caller");
    StageTimer reading(options_.trace, "preprocess/read", transcript_.timings.preprocess);
    // One sample more than a window tells whether there is a second one.
    QT_TRY(std::span<const float> samples, reader.window(begin, window_samples + 1));
    reading.stop();
    if (samples.empty()) break;
    const bool last = static_cast<int64_t>(samples.size()) <= window_samples;
    if (first) timestamps_ = !last || options_.timestamps != TimestampMode::kNone;
    samples = samples.first(std::min(samples.size(), static_cast<size_t>(window_samples)));
    QT_TRY(const double advance, transcribe_window({samples, begin}));
    const auto advance_samples =
        std::max<int64_t>(1, std::llround(advance * kernels::kMelSampleRateHz));
    begin += std::min(advance_samples, static_cast<int64_t>(samples.size()));
    if (options_.on_progress) {
      options_.on_progress(static_cast<double>(begin) / kernels::kMelSampleRateHz,
                           reader.expected_seconds());
    }
  }
  transcript_.duration_seconds =
      static_cast<double>(reader.samples_seen()) / kernels::kMelSampleRateHz;
  transcript_.text = trimmed(transcript_.text);
  transcript_.timings.total = milliseconds_since(started_);
  return std::move(transcript_);
}

void Transcriber::encode(const Window& window, int64_t frames) {
  StageTimer preprocessing(options_.trace, "preprocess/mel", transcript_.timings.preprocess);
  const auto mel = session_.encoder().mel(frames);
  kernels::normalize_log_mel(mel, mel_.log_mel(window.samples, mel, pool_));
  const auto audible = static_cast<int64_t>(window.samples.size()) / kernels::kMelHopSamples;
  steady_noise_ = modulation_db(mel.rows_from(0, std::min(audible, frames))) < kSteadyNoiseDb;
  preprocessing.stop();
  const StageTimer encoding(options_.trace, "encode", transcript_.timings.encode);
  session_.encode(frames);
}

Result<void> Transcriber::choose_language() {
  if (language_) return {};
  StageTimer detecting(options_.trace, "prefill", transcript_.timings.prefill);
  const DetectedLanguage detected = detect_language(session_, vocabulary_);
  detecting.stop();
  language_ = detected.language;
  transcript_.language = detected.language.code;
  transcript_.language_probability = detected.probability;
  return {};
}

WindowRequest Transcriber::make_request() const {
  return {.language = *language_,
          .timestamps = timestamps_,
          .previous = previous_,
          .steady_noise = steady_noise_};
}

// Encodes no more than there is to hear, first; where the text does not pass, the whole window.
Result<DecodedWindow> Transcriber::decode(const Window& window) {
  const int64_t full = model_.config.mel_frames();
  const int64_t exact = encoder_frames(std::ssize(window.samples), full);
  const auto run = [&](int64_t frames, const TranscribeOptions& options) -> Result<DecodedWindow> {
    encode(window, frames);
    QT_TRY_VOID(choose_language());
    return decode_window(session_, *model_.tokenizer, model_.generation, vocabulary_,
                         make_request(), options, started_, transcript_.timings);
  };
  if (options_.exact_length && session_.runtime().fuse && exact < full) {
    const bool begins_here = !language_;
    TranscribeOptions once = options_;
    once.temperatures.resize(1);
    QT_TRY(DecodedWindow decoded, run(exact, once));
    if (decoded.accepted) return decoded;
    if (begins_here) language_.reset();
  }
  return run(full, options_);
}

// Returns by how many seconds to advance.
Result<double> Transcriber::transcribe_window(const Window& window) {
  if (inaudible(window.samples)) return window.seconds();
  const bool detected_here = !language_;
  QT_TRY(const DecodedWindow decoded, decode(window));
  if (!options_.condition_on_previous || decoded.temperature > 0.5f) previous_.clear();
  if (decoded.silent(options_)) {
    // A window without speech says nothing about the language of the next.
    if (detected_here) language_.reset();
    return window.seconds();
  }
  WindowSegments cut = cut_segments(decoded, window.begin_seconds(), window.seconds(), vocabulary_,
                                    *model_.tokenizer);
  if (options_.timestamps == TimestampMode::kWords) {
    const StageTimer aligning(options_.trace, "align", transcript_.timings.decode);
    align_words(session_, model_, vocabulary_, *language_, options_.task, window.begin_seconds(),
                window.seconds(), cut.segments);
  }
  for (Segment& segment : cut.segments) finish_segment(std::move(segment));
  return cut.advance_seconds;
}

void Transcriber::finish_segment(Segment segment) {
  segment.id = static_cast<int64_t>(transcript_.segments.size());
  transcript_.text += segment.text;
  if (options_.condition_on_previous) {
    std::copy_if(segment.tokens.begin(), segment.tokens.end(), std::back_inserter(previous_),
                 [&](int32_t token) { return vocabulary_.is_text(token); });
  }
  transcript_.segments.push_back(std::move(segment));
  if (options_.on_segment) options_.on_segment(transcript_.segments.back());
}

}  // namespace quintet::speech
