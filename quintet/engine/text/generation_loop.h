// Runs any number of requests to a language model together: each pass takes a token, or a few, of
// every answer and a part of a prompt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/decode/token_constraint.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/text/generation.h"

namespace quintet::text {

// Requests come and go between passes (continuous batching, Yu et al. 2022, Orca). What a request
// gets does not depend on the others. Threads: one at a time.
class GenerationLoop {
 public:
  // Rows of prompts in a pass: enough to fill the processors, few enough that answers go on.
  static constexpr int64_t kPromptRows = 512;

  // Both must outlive the loop. `vocabulary`: made at the first request with a schema, and kept
  // for other loops over the same model; null before.
  GenerationLoop(const language::Model& model, language::Session& session,
                 std::shared_ptr<const decode::VocabularyTrie>& vocabulary);
  ~GenerationLoop();

  // Queues a request; `done` gets its result during a later step().
  // Errors: kInvalidArgument for options and empty prompts, kExhausted where the prompt is longer
  // than the context.
  using Done = std::function<void(Result<Generation>)>;
  Result<void> add(GenerateRequest request, Done done);

  bool idle() const { return running_.empty(); }
  // One pass over the weights. REQUIRES: !idle().
  void step();

 private:
  class Running;

  void begin_waiting();
  void make_room();
  void place_rows();
  void finish_ended();

  Result<std::optional<decode::TokenConstraint>> make_constraint(const GenerateOptions& options);

  const language::Model& model_;
  language::Session& session_;
  std::shared_ptr<const decode::VocabularyTrie>& vocabulary_;
  std::vector<std::unique_ptr<Running>> running_;
  std::vector<decode::StepRow> rows_;
  std::vector<float> logits_;
};

}  // namespace quintet::text
