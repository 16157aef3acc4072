#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/text_flags.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  AnswerFlags answer;
  std::string prompt;
  std::string system;
  bool raw = false;
};

Result<std::string> read_prompt(const Flags& flags) {
  if (flags.prompt != "-") return flags.prompt;
  constexpr size_t kMostBytes = size_t{64} << 20;
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  if (text.size() > kMostBytes) return Error(Code::kExhausted, "standard input: more than 64 MiB");
  return text;
}

Result<std::vector<int32_t>> prompt_tokens(const TextModel& model, const Flags& flags) {
  QT_TRY(const std::string prompt, read_prompt(flags));
  if (flags.raw) return model.encode(prompt);
  std::vector<ChatMessage> messages;
  if (!flags.system.empty()) messages.push_back({"system", flags.system});
  messages.push_back({"user", prompt});
  return model.chat_prompt(messages);
}

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

int run(const Flags& flags, const Globals& globals) {
  const auto options = generate_options(flags.answer);
  if (!options) return fail(options.error());
  const auto model = load_text_model(flags.model, globals);
  if (!model) return fail(model.error());
  auto prompt = prompt_tokens(*model, flags);
  if (!prompt) return fail(prompt.error());
  GenerateRequest request{.prompt = *std::move(prompt), .options = *options};
  if (!globals.json) {
    request.options.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  }
  const auto generation = model->generate(request);
  if (!generation) return fail(generation.error());
  if (globals.json) {
    std::cout
        << answer_json(*model, *generation).dump(2, ' ', false, json::error_handler_t::replace)
        << "\n";
  } else {
    std::cout << "\n";
  }
  return 0;
}

}  // namespace

void add_run_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("run", "One answer of a language model, as it comes");
  const auto flags = std::make_shared<Flags>();
  add_model_flags(*command, flags->model);
  add_answer_flags(*command, flags->answer);
  command->add_option("PROMPT", flags->prompt, "What to ask; - for standard input")->required();
  command->add_option("--system", flags->system, "What the model is told to be");
  command->add_flag("--raw", flags->raw, "The prompt as it is, without the model's chat template");
  command
      ->add_option("--top-log-probs", flags->answer.sampling.top_log_probs,
                   "With --json: how many of the likeliest tokens are shown with each")
      ->check(CLI::Range(0, 100));
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
