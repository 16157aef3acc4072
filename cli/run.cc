#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/text_answer.h"
#include "cli/text_flags.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

struct Flags {
  ModelFlags model;
  AnswerFlags answer;
  std::string prompt;
  std::string system;
  std::string prompt_cache;
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
  if (flags.raw) return model.encode(prompt).with(flags.model.model);
  if (!model.has_chat_template()) {
    return Error(Code::kUnsupported,
                 flags.model.model +
                     ": the model has no chat template; --raw gives it the prompt "
                     "as it is");
  }
  std::vector<ChatMessage> messages;
  if (!flags.system.empty()) messages.push_back({"system", flags.system});
  messages.push_back({"user", prompt});
  return model.chat_prompt(messages).with(flags.model.model);
}

Result<Generation> answer(const TextModel& model, const Flags& flags, const Globals& globals) {
  QT_TRY(GenerateOptions options, generate_options(flags.answer));
  QT_TRY(std::vector<int32_t> prompt, prompt_tokens(model, flags));
  QT_TRY_VOID(load_prompt_cache(model, flags.prompt_cache));
  if (!globals.json) {
    options.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  }
  QT_TRY(Generation generation, model.generate({std::move(prompt), std::move(options)}));
  QT_TRY_VOID(save_prompt_cache(model, flags.prompt_cache));
  return generation;
}

int run(const Flags& flags, const Globals& globals) {
  if (const auto options = generate_options(flags.answer); !options) return fail(options.error());
  const auto model = load_text_model(flags.model, globals);
  if (!model) return fail(model.error());
  const auto generation = answer(*model, flags, globals);
  if (!generation) return fail(generation.error());
  if (globals.json) std::cout << json_text(answer_json(*model, *generation), 2);
  std::cout << std::endl;
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
  add_prompt_cache_flag(*command, flags->prompt_cache);
  command->add_flag("--raw", flags->raw, "The prompt as it is, without the model's chat template");
  command
      ->add_option("--top-log-probs", flags->answer.sampling.top_log_probs,
                   "With --json: how many of the likeliest tokens are shown with each")
      ->check(CLI::Range(0, 100));
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
