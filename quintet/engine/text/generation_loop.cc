#include "quintet/engine/text/generation_loop.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "quintet/core/check.h"
#include "quintet/engine/decode/prompt_lookup.h"
#include "quintet/engine/decode/stop_strings.h"
#include "quintet/engine/stopwatch.h"
#include "quintet/engine/text/constraint_vocabulary.h"
#include "quintet/io/formats/json.h"
#include "quintet/io/tokenizers/stream_decoder.h"

namespace quintet {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEnd: return "end";
    case FinishReason::kStopString: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kContext: return "context";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "";
}

namespace text {
namespace {

// Tokens that are run ahead in one pass. More of them turn a pass that waits for the weights into
// one that computes.
constexpr int64_t kMostAhead = 7;

}  // namespace

// One request on its way: first it waits for room, then its prompt is read, then tokens come.
class GenerationLoop::Running {
 public:
  Running(const language::Model& model, language::Decoder& decoder, GenerateRequest request,
          decode::StopStrings stops, std::optional<decode::TokenConstraint> constraint, Done done)
      : model_(model),
        decoder_(decoder),
        options_(std::move(request.options)),
        past_(std::move(request.prompt)),
        done_(std::move(done)),
        sampler_(options_.sampling, past_),
        constraint_(std::move(constraint)),
        stops_(std::move(stops)),
        stop_scanner_(stops_) {
    if (model.tokenizer) stream_.emplace(*model.tokenizer);
    if (options_.speculate) {
      lookup_.emplace(decode::PromptLookupOptions{.longest_proposal = kMostAhead});
      lookup_->append(past_);
    }
    result_.prompt_tokens = std::ssize(past_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  bool begun() const { return sequence_.has_value(); }
  bool ended() const { return ended_; }
  bool reads_prompt() const { return begun() && !unread_.empty(); }

  // False where there is no room.
  bool begin() {
    int64_t kept = 0;
    decode::Sequence sequence = decoder_.begin(past_, kept);
    // With the token that follows.
    if (!decoder_.reserve(sequence.id(), std::ssize(past_) - kept + 1)) return false;
    sequence_.emplace(std::move(sequence));
    if (result_.tokens.empty()) result_.kept_tokens = kept;
    unread_ = std::span<const int32_t>(past_).subspan(static_cast<size_t>(kept));
    return true;
  }

  // Gives its room to others and waits for it to come back; what was read is read again then.
  void step_back() {
    sequence_.reset();
    unread_ = {};
    past_.resize(static_cast<size_t>(result_.prompt_tokens));
    if (result_.tokens.empty()) return;
    past_.insert(past_.end(), result_.tokens.begin(), result_.tokens.end() - 1);
  }

  // Whether the pass at hand has room for its next token.
  bool has_room() {
    return ended_ || !begun() || reads_prompt() || decoder_.reserve(sequence_->id(), 1);
  }
  // Whether it could never have: what it has fills the longest sequence.
  bool is_full() const {
    return std::ssize(decoder_.tokens(sequence_->id())) >= decoder_.most_tokens();
  }
  void end_full() { end(FinishReason::kContext); }

  // Adds at most `room` rows to a pass; `logits` counts the rows of it that want some.
  // REQUIRES: has_room().
  void place(int64_t room, std::vector<decode::StepRow>& rows, int64_t& logits) {
    first_wanted_ = logits;
    wanted_ = 0;
    if (ended_ || !begun() || room < 1) return;
    if (!unread_.empty()) {
      place_prompt(room, rows);
    } else {
      place_answer(rows);
    }
    logits += wanted_;
  }

  // Takes what came back.
  void take(MatrixView<float> logits) {
    size_t right = 0;  // Of the tokens that were run ahead.
    for (int64_t row = first_wanted_; row < first_wanted_ + wanted_ && !ended_; ++row) {
      if (auto chosen = choose(logits, row); !chosen) return fail(std::move(chosen).error());
      if (ended_ || right == ahead_.size() || ahead_[right] != result_.tokens.back()) break;
      ++right;
    }
    if (ahead_.empty()) return;
    decoder_.truncate(sequence_->id(), std::ssize(decoder_.tokens(sequence_->id())) -
                                           static_cast<int64_t>(ahead_.size() - right));
    result_.drafted_tokens += std::ssize(ahead_);
    result_.accepted_tokens += static_cast<int64_t>(right);
    ahead_.clear();
  }

  void fail(Error error) {
    ended_ = true;
    error_ = std::move(error);
  }

  // Gives the result away; the cache is free again.
  void finish() {
    sequence_.reset();
    result_.timings.total = milliseconds_since(start_);
    if (error_) return done_(*std::move(error_));
    done_(std::move(result_));
  }

  void check_stop() {
    if (!ended_ && options_.stop_token.stop_requested()) end(FinishReason::kCancelled);
  }

 private:
  void add_row(int32_t token, bool wants_logits, std::vector<decode::StepRow>& rows) {
    rows.push_back({.sequence = sequence_->id(),
                    .token = token,
                    .wants_logits = wants_logits,
                    .estimate = sampler_.exact_logits().has_value()});
    wanted_ += wants_logits ? 1 : 0;
  }

  void place_prompt(int64_t room, std::vector<decode::StepRow>& rows) {
    const auto part = unread_.first(std::min(static_cast<size_t>(room), unread_.size()));
    unread_ = unread_.subspan(part.size());
    for (size_t i = 0; i < part.size(); ++i) {
      const bool last = unread_.empty() && i + 1 == part.size();
      add_row(part[i], last && result_.tokens.empty(), rows);
    }
  }

  // The last token, and those that may follow it.
  void place_answer(std::vector<decode::StepRow>& rows) {
    const int64_t left = options_.max_new_tokens - std::ssize(result_.tokens) - 1;
    if (lookup_ && left > 0) {
      const auto proposed = lookup_->propose(std::min(kMostAhead, left));
      ahead_.assign(proposed.begin(), proposed.end());
      if (!decoder_.reserve(sequence_->id(), 1 + std::ssize(ahead_))) ahead_.clear();
    }
    add_row(result_.tokens.back(), true, rows);
    for (const int32_t token : ahead_) add_row(token, true, rows);
  }

  Result<void> choose(MatrixView<float> logits, int64_t row) {
    const std::span<float> values(logits.row(row), static_cast<size_t>(logits.cols));
    if (constraint_) QT_TRY_VOID(constraint_->mask(values));
    if (const auto exact = sampler_.exact_logits()) decoder_.refine_row(row, *exact, values);
    QT_TRY(decode::Sampler::Choice choice, sampler_.choose(values));
    if (result_.tokens.empty()) {
      result_.timings.prefill = result_.timings.first_token = milliseconds_since(start_);
      first_ = Clock::now();
    }
    if (constraint_) QT_TRY_VOID(constraint_->accept(choice.token));
    accept(std::move(choice));
    return {};
  }

  void accept(decode::Sampler::Choice choice) {
    const int32_t token = choice.token;
    if (!options_.ignore_end && std::ranges::count(model_.generation.end_tokens, token) > 0) {
      return end(FinishReason::kEnd);
    }
    sampler_.accept(token);
    if (lookup_) lookup_->append({&token, 1});
    result_.tokens.push_back(token);
    result_.choices.push_back(std::move(choice));
    if (stream_) show(stop_scanner_.push(stream_->push(token)));
    if (stop_scanner_.stopped_by()) return end(FinishReason::kStopString);
    if (std::ssize(result_.tokens) >= options_.max_new_tokens) {
      end(FinishReason::kLength);
    }
  }

  void show(const std::string& piece) {
    result_.text += piece;
    if (options_.on_text && !piece.empty()) options_.on_text(piece);
  }

  void end(FinishReason reason) {
    ended_ = true;
    result_.reason = reason;
    if (stream_ && reason != FinishReason::kStopString) {
      show(stop_scanner_.push(stream_->finish()));
      show(stop_scanner_.finish());
    }
    result_.timings.decode = result_.tokens.empty() ? 0 : milliseconds_since(first_);
    result_.timings.tokens = std::max<int64_t>(0, std::ssize(result_.tokens) - 1);
  }

  const language::Model& model_;
  language::Decoder& decoder_;
  GenerateOptions options_;
  std::vector<int32_t> past_;  // The prompt; also the answer, after step_back().
  Done done_;
  decode::Sampler sampler_;
  std::optional<decode::TokenConstraint> constraint_;
  decode::StopStrings stops_;
  decode::StopScanner stop_scanner_;
  std::optional<io::StreamDecoder> stream_;
  std::optional<decode::PromptLookup> lookup_;
  std::vector<int32_t> ahead_;                // Run with the last token in the pass at hand.
  std::optional<decode::Sequence> sequence_;  // Unset: it waits.
  std::span<const int32_t> unread_;           // Of the past.
  int64_t first_wanted_ = 0;                  // Logits of the pass at hand.
  int64_t wanted_ = 0;
  bool ended_ = false;
  std::optional<Error> error_;
  Generation result_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point first_ = start_;
};

GenerationLoop::GenerationLoop(const language::Model& model, language::Session& session,
                               std::shared_ptr<const decode::VocabularyTrie>& vocabulary)
    : model_(model), session_(session), vocabulary_(vocabulary) {}

GenerationLoop::~GenerationLoop() = default;

Result<std::optional<decode::TokenConstraint>> GenerationLoop::make_constraint(
    const GenerateOptions& options) {
  if (options.json_schema.empty()) return std::optional<decode::TokenConstraint>();
  if (!model_.tokenizer) return Error(Code::kUnsupported, "the model has no tokenizer");
  QT_TRY_VOID(io::parse_json(options.json_schema, "json_schema"));  // Within limits, and valid.
  // Again, for the order of its properties.
  const auto schema = nlohmann::ordered_json::parse(options.json_schema, nullptr, false);
  QT_TRY(const decode::JsonGrammar grammar,
         decode::JsonGrammar::compile(schema).with("json_schema"));
  if (vocabulary_ == nullptr) {
    vocabulary_ = constraint_vocabulary(*model_.tokenizer, model_.config.vocabulary);
  }
  return std::optional<decode::TokenConstraint>(std::in_place, vocabulary_, grammar,
                                                model_.generation.end_tokens);
}

Result<void> GenerationLoop::add(GenerateRequest request, Done done) {
  QT_TRY_VOID(decode::check(request.options.sampling, model_.config.vocabulary));
  if (request.prompt.empty()) {
    return Error(Code::kInvalidArgument, "the prompt has no token");
  }
  for (const int32_t token : request.prompt) {
    if (token >= 0 && token < model_.config.vocabulary) continue;
    return Error(Code::kInvalidArgument, "the prompt has token " + std::to_string(token) +
                                             ", the vocabulary goes from 0 to " +
                                             std::to_string(model_.config.vocabulary - 1));
  }
  if (request.options.max_new_tokens < 1) {
    return Error(Code::kInvalidArgument, "max_new_tokens must be from 1 on, is " +
                                             std::to_string(request.options.max_new_tokens));
  }
  QT_TRY(auto constraint, make_constraint(request.options));
  QT_TRY(decode::StopStrings stops, decode::StopStrings::make(request.options.stop));
  const int64_t most = session_.decoder().most_tokens();
  if (std::ssize(request.prompt) >= most) {
    return Error(Code::kExhausted, "the prompt has " + std::to_string(request.prompt.size()) +
                                       " tokens, the context has room for " + std::to_string(most) +
                                       " with the answer");
  }
  running_.push_back(std::make_unique<Running>(model_, session_.decoder(), std::move(request),
                                               std::move(stops), std::move(constraint),
                                               std::move(done)));
  return {};
}

// In the order in which they came.
void GenerationLoop::begin_waiting() {
  for (const auto& running : running_) {
    if (running->begun() || running->ended()) continue;
    if (running->begin()) continue;
    const bool alone = std::ranges::none_of(running_, [](const auto& r) { return r->begun(); });
    if (alone) running->fail(Error(Code::kExhausted, "the prompt does not fit the cache"));
    return;
  }
}

// An answer that finds the cache full takes the room of those that came last, which wait: so what
// it gets does not depend on them.
void GenerationLoop::make_room() {
  const auto begun = [](const auto& running) { return running->begun(); };
  for (const auto& running : running_) {
    while (!running->has_room()) {
      if (running->is_full() || std::ranges::count_if(running_, begun) == 1) {
        running->end_full();
        break;
      }
      (*std::ranges::find_if(running_.rbegin(), running_.rend(), begun))->step_back();
    }
  }
}

// Answers first, then prompts, as far as there is room.
void GenerationLoop::place_rows() {
  rows_.clear();
  int64_t wanted = 0;
  for (const bool prompts : {false, true}) {
    for (const auto& running : running_) {
      if (running->reads_prompt() != prompts) continue;
      const int64_t room = prompts ? kPromptRows - std::ssize(rows_) : kPromptRows;
      running->place(room, rows_, wanted);
    }
  }
  logits_.resize(static_cast<size_t>(wanted * model_.config.vocabulary));
}

void GenerationLoop::finish_ended() {
  // A result may bring the next request.
  std::vector<std::unique_ptr<Running>> ended;
  for (auto& running : running_) {
    if (running->ended()) ended.push_back(std::move(running));
  }
  std::erase(running_, nullptr);
  for (const auto& running : ended) running->finish();
}

void GenerationLoop::step() {
  for (const auto& running : running_) running->check_stop();
  begin_waiting();
  make_room();
  place_rows();
  if (!rows_.empty()) {
    const auto logits = matrix(logits_.data(), std::ssize(logits_) / model_.config.vocabulary,
                               model_.config.vocabulary);
    session_.decoder().forward(rows_, logits);
    for (const auto& running : running_) running->take(logits);
  }
  finish_ended();
}

}  // namespace text
}  // namespace quintet
