// What the commands that answer prompts share: the answer as JSON, and the file of kept prompts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/command.h"
#include "quintet/quintet.h"

namespace quintet::cli {

// {"text", "finish_reason", "precision", counts of tokens, "tokens", "log_probs", "timings_ms",
// "tokens_per_second"}
nlohmann::ordered_json answer_json(const TextModel& model, const Generation& generation);
// As text; bytes that are no UTF-8 are replaced. `indent` -1: in one line.
std::string json_text(const nlohmann::ordered_json& object, int indent);

// --prompt-cache.
void add_prompt_cache_flag(CLI::App& command, std::string& file);
// Takes what was kept from `file`, if it is there; an empty name: nothing.
// Errors: also where `file` could not be written afterwards.
Result<void> load_prompt_cache(const TextModel& model, const std::string& file);
Result<void> save_prompt_cache(const TextModel& model, const std::string& file);

}  // namespace quintet::cli
