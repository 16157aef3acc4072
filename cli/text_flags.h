// Options that every command on language models shares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.h"
#include "quintet/quintet.h"

namespace quintet::cli {

struct ModelFlags {
  std::string model;
  bool baseline = false;
  std::string cache;
  uint64_t cache_megabytes = 2048;
};

// --model, --baseline, --cache, --cache-mb.
void add_model_flags(CLI::App& command, ModelFlags& flags);
Result<TextModel> load_text_model(const ModelFlags& flags, const Globals& globals);

struct AnswerFlags {
  decode::SamplingOptions sampling;
  int64_t max_new_tokens = 512;
  std::vector<std::string> stop;
  std::vector<std::string> logit_bias;  // "TOKEN=BIAS"
  std::string json_schema;              // File.
  bool plain = false;                   // No running ahead.
};

// --temperature, --top-k, --top-p, --min-p, --repetition-penalty, --presence-penalty,
// --frequency-penalty, --seed, --logit-bias, --max-tokens, --stop, --json-schema, --no-lookup.
void add_answer_flags(CLI::App& command, AnswerFlags& flags);
// Errors: kInvalidArgument for a bias that is none; those of reading the schema.
Result<GenerateOptions> generate_options(const AnswerFlags& flags);

}  // namespace quintet::cli
