#include "quintet/engine/speech/window_decoder.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "quintet/core/check.h"
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
    prompt.tokens.push_back(request.language->token);
    prompt.tokens.push_back(task == Task::kTranslate ? v.translate : v.transcribe);
  }
  if (!request.timestamps) prompt.tokens.push_back(v.no_timestamps);
  return prompt;
}

decode::LogitRules make_rules(const Vocabulary& v, const whisper::GenerationConfig& generation,
                              const WindowRequest& request, int64_t vocabulary_size) {
  std::vector<int32_t> never = generation.suppress;
  const auto last = static_cast<int32_t>(request.timestamps ? v.first_timestamp : vocabulary_size);
  // Tokens that steer are the caller's, never the model's.
  for (int32_t token = v.end_of_text + 1; token < last; ++token) never.push_back(token);
  // <|endoftext|> must stay possible whatever the list says.
  std::erase(never, v.end_of_text);
  decode::LogitRules rules;
  rules.push_back(
      std::make_unique<decode::SuppressRule>(std::move(never), generation.suppress_begin));
  if (request.timestamps) {
    rules.push_back(std::make_unique<decode::TimestampRule>(decode::TimestampRuleOptions{
        .first_timestamp = v.first_timestamp,
        .end_of_text = v.end_of_text,
        .earliest_end = static_cast<int32_t>(request.speech_seconds / kTimestampStepSeconds)}));
  }
  return rules;
}

float probability(std::span<const float> logits, int32_t token) {
  return std::exp(logits[static_cast<size_t>(token)] -
                  kernels::log_sum_exp(logits.data(), static_cast<int64_t>(logits.size())));
}

DetectedLanguage likeliest_language(std::span<const float> logits, const Vocabulary& v) {
  std::vector<float> probabilities;
  for (const Language& language : v.languages) {
    probabilities.push_back(logits[static_cast<size_t>(language.token)]);
  }
  const auto count = static_cast<int64_t>(probabilities.size());
  kernels::softmax(probabilities.data(), count);
  const auto best = static_cast<size_t>(kernels::argmax(probabilities.data(), count));
  return {v.languages[best], probabilities[best], probability(logits, v.no_speech)};
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

WindowDecoder::WindowDecoder(whisper::EncodedWindow window, const whisper::Model& model,
                             const Vocabulary& vocabulary, WindowRequest request,
                             const TranscribeOptions& options)
    : window_(std::move(window)),
      model_(model),
      vocabulary_(vocabulary),
      options_(options),
      request_(std::move(request)) {
  QT_CHECK(!request_.temperatures.empty());
  result_.steady_noise = request_.steady_noise;
  if (!request_.language && !vocabulary.multilingual) {
    detected_ = {{"en", -1}, 1.0f};
    request_.language = detected_->language;
  }
  if (request_.language) {
    begin_prompt();
    return;
  }
  // Source: openai/whisper decoding.py detect_language.
  prompt_ = window_.begin();
  prompt_rows_ = {{.sequence = prompt_.id(), .token = vocabulary.start}};
  rows_ = prompt_rows_;
}

void WindowDecoder::begin_prompt() {
  const Prompt prompt =
      make_prompt(vocabulary_, request_, options_.task, window_.decoder().max_tokens());
  prompt_ = window_.begin();
  prompt_tokens_ = std::ssize(prompt.tokens);
  prompt_rows_.clear();
  for (size_t i = 0; i < prompt.tokens.size(); ++i) {
    // Logits of <|startoftranscript|> say whether there is speech, the last ones what comes first.
    const bool wanted = i == prompt.start || i + 1 == prompt.tokens.size();
    prompt_rows_.push_back(
        {.sequence = prompt_.id(), .token = prompt.tokens[i], .wants_logits = wanted});
  }
  rows_ = prompt_rows_;
  rules_ = make_rules(vocabulary_, model_.generation, request_, model_.config.vocabulary);
  stage_ = Stage::kPrompt;
}

void WindowDecoder::begin_search() {
  const int64_t most = window_.decoder().max_tokens();
  const float temperature = request_.temperatures[temperature_];
  search_ = decode::make_search(prompt_.fork(), rules_,
                                {.end_token = vocabulary_.end_of_text,
                                 .max_new_tokens = std::min(most / 2, most - prompt_tokens_),
                                 .temperature = temperature,
                                 .sequences = temperature > 0 ? options_.samples : options_.beams,
                                 .seed = options_.seed});
  stage_ = Stage::kSearch;
  // The search overwrites what it is given.
  std::vector<float> logits = first_logits_;
  search_->choose(matrix(logits.data(), 1, std::ssize(logits)));
}

void WindowDecoder::take(MatrixView<float> logits) {
  const auto row = [&](int64_t i) {
    return std::span<const float>(logits.row(i), static_cast<size_t>(logits.cols));
  };
  switch (stage_) {
    case Stage::kLanguage: detected_ = likeliest_language(row(0), vocabulary_); break;
    case Stage::kPrompt:
      result_.no_speech_probability = probability(row(0), vocabulary_.no_speech);
      first_logits_.assign(row(logits.rows - 1).begin(), row(logits.rows - 1).end());
      break;
    case Stage::kSearch: search_->choose(logits); break;
  }
}

void WindowDecoder::advance() {
  if (stage_ == Stage::kLanguage) {
    request_.language = detected_->language;
    begin_prompt();
    return;
  }
  if (stage_ == Stage::kPrompt) begin_search();
  for (;;) {
    rows_ = search_->advance();
    if (!rows_.empty()) return;
    finish_search();
    if (result_.accepted || last_temperature()) return;
    ++temperature_;
    begin_search();
  }
}

void WindowDecoder::finish_search() {
  decode::Hypothesis found = search_->best();
  tokens_ += std::ssize(found.tokens);
  result_.average_log_prob = found.average_log_prob();
  result_.tokens = std::move(found.tokens);
  result_.log_probs = std::move(found.log_probs);
  result_.temperature = request_.temperatures[temperature_];
  result_.text = model_.tokenizer->decode(text_tokens(result_.tokens, vocabulary_));
  result_.compression_ratio = compression_ratio(result_.text);
  result_.accepted = accepted(result_, options_);
}

}  // namespace quintet::speech
