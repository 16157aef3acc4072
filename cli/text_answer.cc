#include "cli/text_answer.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/output.h"
#include "quintet/core/file.h"

namespace quintet::cli {

using json = nlohmann::ordered_json;

json answer_json(const TextModel& model, const Generation& g) {
  json object = {{"text", g.text},
                 {"finish_reason", finish_reason_name(g.reason)},
                 {"precision", precision_name(model.precision())},
                 {"prompt_tokens", g.prompt_tokens},
                 {"kept_tokens", g.kept_tokens},
                 {"new_tokens", g.tokens.size()},
                 {"drafted_tokens", g.drafted_tokens},
                 {"accepted_tokens", g.accepted_tokens},
                 {"tokens", g.tokens}};
  json log_probs = json::array();
  for (const auto& choice : g.choices) {
    json entry = {{"token", choice.token},
                  {"text", model.token_text(choice.token)},
                  {"log_prob", choice.log_prob}};
    for (const auto& [token, log_prob] : choice.top) {
      entry["top"].push_back(
          {{"token", token}, {"text", model.token_text(token)}, {"log_prob", log_prob}});
    }
    log_probs.push_back(std::move(entry));
  }
  object["log_probs"] = std::move(log_probs);
  object["timings_ms"] = timings_json(g.timings);
  object["tokens_per_second"] = std::round(g.timings.tokens_per_second() * 10) / 10;
  return object;
}

std::string json_text(const json& object, int indent) {
  return object.dump(indent, ' ', false, json::error_handler_t::replace);
}

void add_prompt_cache_flag(CLI::App& command, std::string& file) {
  command.add_option("--prompt-cache", file,
                     "File that keeps what was computed of prompts for the next time, as far as "
                     "--cache-mb holds it");
}

Result<void> load_prompt_cache(const TextModel& model, const std::string& file) {
  if (file.empty()) return {};
  QT_TRY_VOID(check_can_write(file));
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  QT_TRY_VOID(model.load_prefixes(file));
  return {};
}

Result<void> save_prompt_cache(const TextModel& model, const std::string& file) {
  return file.empty() ? Result<void>() : model.save_prefixes(file);
}

}  // namespace quintet::cli
