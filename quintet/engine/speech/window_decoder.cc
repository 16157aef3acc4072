#include "quintet/engine/speech/window_decoder.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "quintet/engine/decode/search.h"
#include "quintet/kernels/softmax/softmax.h"

namespace quintet::speech {
namespace {

struct Prompt {
  std::vector<int32_t> tokens;
  size_t start = 0;  // Index of <|startoftranscript|>.
};

Prompt make_prompt(const Vocabulary& v, const WindowRequest& request, Task task,
                   int64_t text_positions) {
  Prompt prompt;
  if (!request.previous.empty()) {
    // Half of the positions stay for the text, as in training.
    const auto room = static_cast<size_t>(text_positions / 2 - 1);
    const size_t count = std::min(room, request.previous.size());
    prompt.tokens.push_back(v.previous);
    prompt.tokens.insert(prompt.tokens.end(), request.previous.end() - static_cast<int64_t>(count),
                         request.previous.end());
  }
  prompt.start = prompt.tokens.size();
  prompt.tokens.push_back(v.start);
  if (v.multilingual) {
    prompt.tokens.push_back(request.language.token);
    prompt.tokens.push_back(task == Task::kTranslate ? v.translate : v.transcribe);
  }
  if (!request.timestamps) prompt.tokens.push_back(v.no_timestamps);
  return prompt;
}

decode::LogitRules make_rules(const Vocabulary& v, const whisper::GenerationConfig& generation,
                              bool timestamps, int64_t vocabulary_size) {
  std::vector<int32_t> never = generation.suppress;
  const auto last = static_cast<int32_t>(timestamps ? v.first_timestamp : vocabulary_size);
  // Tokens that steer are the caller's, never the model's.
  for (int32_t token = v.end_of_text + 1; token < last; ++token) never.push_back(token);
  // <|endoftext|> must stay possible whatever the list says.
  std::erase(never, v.end_of_text);
  decode::LogitRules rules;
  rules.push_back(
      std::make_unique<decode::SuppressRule>(std::move(never), generation.suppress_begin));
  if (timestamps) {
    rules.push_back(std::make_unique<decode::TimestampRule>(decode::TimestampRuleOptions{
        .first_timestamp = v.first_timestamp, .end_of_text = v.end_of_text}));
  }
  return rules;
}

float probability(std::span<const float> logits, int32_t token) {
  return std::exp(logits[static_cast<size_t>(token)] -
                  kernels::log_sum_exp(logits.data(), static_cast<int64_t>(logits.size())));
}

bool accepted(const DecodedWindow& window, const TranscribeOptions& options) {
  if (window.silent(options)) return true;
  return window.compression_ratio <= options.max_compression_ratio &&
         window.average_log_prob >= options.min_average_log_prob;
}

std::vector<int32_t> text_tokens(const std::vector<int32_t>& tokens, const Vocabulary& v) {
  std::vector<int32_t> text;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(text),
               [&](int32_t token) { return v.is_text(token); });
  return text;
}

}  // namespace

float compression_ratio(std::string_view text) {
  if (text.empty()) return 0;
  uLongf size = compressBound(text.size());
  std::vector<Bytef> compressed(size);
  if (compress(compressed.data(), &size, reinterpret_cast<const Bytef*>(text.data()),
               text.size()) != Z_OK) {
    return 0;
  }
  return static_cast<float>(text.size()) / static_cast<float>(size);
}

bool DecodedWindow::silent(const TranscribeOptions& options) const {
  return no_speech_probability > options.no_speech_threshold &&
         (steady_noise || average_log_prob < options.min_average_log_prob);
}

std::vector<float> language_probabilities(whisper::Session& session, const Vocabulary& v) {
  std::vector<float> logits(static_cast<size_t>(session.decoder().vocabulary()));
  const std::array<int32_t, 1> prompt = {v.start};
  session.decoder().start(prompt, matrix(logits.data(), 1, session.decoder().vocabulary()));
  std::vector<float> probabilities;
  for (const Language& language : v.languages) {
    probabilities.push_back(logits[static_cast<size_t>(language.token)]);
  }
  kernels::softmax(probabilities.data(), static_cast<int64_t>(probabilities.size()));
  return probabilities;
}

DetectedLanguage detect_language(whisper::Session& session, const Vocabulary& v) {
  if (!v.multilingual) return {{"en", -1}, 1.0f};
  const std::vector<float> probabilities = language_probabilities(session, v);
  const auto best = static_cast<size_t>(
      kernels::argmax(probabilities.data(), static_cast<int64_t>(probabilities.size())));
  return {v.languages[best], probabilities[best]};
}

Result<DecodedWindow> decode_window(whisper::Session& session, const io::BpeTokenizer& tokenizer,
                                    const whisper::GenerationConfig& generation,
                                    const Vocabulary& v, const WindowRequest& request,
                                    const TranscribeOptions& options, Clock::time_point started,
                                    Timings& timings) {
  whisper::Decoder& decoder = session.decoder();
  const int64_t vocabulary = decoder.vocabulary();
  const Prompt prompt = make_prompt(v, request, options.task, decoder.max_tokens());
  const auto rules = make_rules(v, generation, request.timestamps, vocabulary);
  // Logits from <|startoftranscript|> on: its own say whether there is speech, the last ones what
  // comes first.
  const auto rows = static_cast<int64_t>(prompt.tokens.size() - prompt.start);
  std::vector<float> prompt_logits(static_cast<size_t>(rows * vocabulary));
  std::vector<float> logits(static_cast<size_t>(vocabulary));
  const auto width = static_cast<int64_t>(prompt.tokens.size());

  DecodedWindow window;
  window.steady_noise = request.steady_noise;
  for (const float temperature : options.temperatures) {
    StageTimer prefill(options.trace, "prefill", timings.prefill);
    decoder.start(prompt.tokens, matrix(prompt_logits.data(), rows, vocabulary));
    std::copy(prompt_logits.end() - vocabulary, prompt_logits.end(), logits.begin());
    window.no_speech_probability =
        probability(std::span(prompt_logits).first(logits.size()), v.no_speech);
    prefill.stop();
    if (timings.first_token == 0) timings.first_token = milliseconds_since(started);

    StageTimer decode(options.trace, "decode", timings.decode);
    decode::SearchOptions search{.end_token = v.end_of_text};
    search.max_new_tokens = std::min(decoder.max_tokens() / 2, decoder.max_tokens() - width);
    search.temperature = temperature;
    search.sequences = temperature > 0 ? options.samples : options.beams;
    search.seed = options.seed;
    search.stop = options.stop;
    QT_TRY(decode::Hypothesis found, decode::search(decoder, logits, rules, search));
    decode.stop();
    timings.tokens += static_cast<int64_t>(found.tokens.size());

    window.average_log_prob = found.average_log_prob();
    window.tokens = std::move(found.tokens);
    window.log_probs = std::move(found.log_probs);
    window.temperature = temperature;
    window.text = tokenizer.decode(text_tokens(window.tokens, v));
    window.compression_ratio = compression_ratio(window.text);
    window.accepted = accepted(window, options);
    if (window.accepted) break;
  }
  return window;
}

}  // namespace quintet::speech
