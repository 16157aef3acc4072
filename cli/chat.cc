#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/text_answer.h"
#include "cli/text_flags.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

constexpr size_t kMostTurnBytes = size_t{64} << 20;

constexpr const char* kHelp =
    "A line is a turn; one that ends with \\ goes on in the next line.\n"
    "Ctrl-C stops an answer, which is kept as far as it came; at the prompt it leaves.\n"
    "/reset  begins a new conversation\n"
    "/exit   leaves, as the end of the input does\n"
    "/help   shows this\n";

struct Flags {
  ModelFlags model;
  AnswerFlags answer;
  std::string system;
  std::string prompt_cache;
  bool truncate = false;
};

// The next line. False: the input is over. Errors: kExhausted.
Result<bool> read_line(std::string& line) {
  line.clear();
  std::streambuf& in = *std::cin.rdbuf();
  for (int c = in.sbumpc(); c != '\n'; c = in.sbumpc()) {
    if (c == std::char_traits<char>::eof()) return !line.empty();
    if (line.size() == kMostTurnBytes) {
      return Error(Code::kExhausted, "standard input: a turn of more than 64 MiB");
    }
    line.push_back(static_cast<char>(c));
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

class Chat {
 public:
  Chat(const TextModel& model, const Flags& flags, const Globals& globals, Interrupts& interrupts)
      : model_(model), flags_(flags), globals_(globals), interrupts_(interrupts) {
    reset();
  }

  // Until the input is over. A turn that fails ends it, but not where somebody sits before it.
  int run() {
    while (true) {
      const auto more = next_turn();
      if (more && !*more) return 0;
      if (more) continue;
      const int code = fail(more.error());
      if (!interactive_ || more.error().message().starts_with("standard input")) return code;
    }
  }

 private:
  void reset() {
    messages_.clear();
    if (!flags_.system.empty()) messages_.push_back({"system", flags_.system});
  }

  void show_prompt(const char* text) const {
    if (interactive_) std::cout << text << std::flush;
  }

  // Whole: lines that go on are joined.
  Result<bool> read_turn(std::string& turn) const {
    show_prompt("> ");
    QT_TRY(const bool more, read_line(turn));
    std::string line;
    while (turn.ends_with('\\')) {
      turn.back() = '\n';
      show_prompt(". ");
      QT_TRY(const bool goes_on, read_line(line));
      if (!goes_on) break;
      turn += line;
      if (turn.size() > kMostTurnBytes) {
        return Error(Code::kExhausted, "standard input: a turn of more than 64 MiB");
      }
    }
    return more;
  }

  // False: it is over.
  Result<bool> next_turn() {
    std::string turn;
    QT_TRY(const bool more, read_turn(turn));
    if (!more) {
      show_prompt("\n");
      return false;
    }
    if (turn.find_first_not_of(" \t\n") == std::string::npos) return true;
    if (turn.starts_with('/')) return command(turn.substr(0, turn.find_last_not_of(" \t") + 1));
    QT_TRY_VOID(answer(std::move(turn)));
    return true;
  }

  Result<bool> command(const std::string& name) {
    if (name == "/exit") return false;
    if (name == "/reset") {
      reset();
    } else if (name == "/help") {
      (globals_.json ? std::cerr : std::cout) << kHelp << std::flush;
    } else {
      return Error(Code::kInvalidArgument,
                   "there is no command " + name + "; there are /reset, /exit and /help");
    }
    return true;
  }

  Result<void> answer(std::string turn) {
    messages_.push_back({"user", std::move(turn)});
    auto generation = generate();
    if (!generation) {
      messages_.pop_back();
      return std::move(generation).error();
    }
    std::cout << (globals_.json ? json_text(answer_json(model_, *generation), -1) : "")
              << std::endl;
    if (generation->reason == FinishReason::kContext && !globals_.json) {
      std::cerr << "quintet: the answer is cut: " << context_is_full() << std::endl;
    }
    messages_.push_back({"assistant", std::move(generation->text)});
    return {};
  }

  Result<Generation> generate() {
    QT_TRY(GenerateOptions options, generate_options(flags_.answer));
    QT_TRY(std::vector<int32_t> prompt, prompt_tokens());
    if (!globals_.json) {
      options.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
    }
    options.stop_token = interrupts_.begin();
    auto generation = model_.generate({std::move(prompt), std::move(options)});
    // Ctrl-C leaves no half-written file.
    auto saved = generation ? save_prompt_cache(model_, flags_.prompt_cache) : Result<void>();
    interrupts_.end();
    QT_TRY_VOID(std::move(saved));
    return generation;
  }

  // Of the conversation; --truncate leaves out its oldest turns until a quarter of the context, or
  // the longest answer where that is less, is left.
  Result<std::vector<int32_t>> prompt_tokens() {
    const int64_t context = model_.context();
    const int64_t room = flags_.truncate ? std::min(flags_.answer.max_new_tokens, context / 4) : 1;
    while (true) {
      QT_TRY(std::vector<int32_t> prompt, model_.chat_prompt(messages_).with(flags_.model.model));
      if (std::ssize(prompt) + room <= context) return prompt;
      if (flags_.truncate && leave_out_oldest_turn()) continue;
      if (std::ssize(prompt) < context) return prompt;
      return Error(Code::kExhausted, "the conversation has " + std::to_string(prompt.size()) +
                                         " tokens, " + context_is_full());
    }
  }

  // A question and its answer; false where the last question stands alone.
  bool leave_out_oldest_turn() {
    const auto first = messages_.begin() + (flags_.system.empty() ? 0 : 1);
    if (messages_.end() - first < 3) return false;
    messages_.erase(first, first + 2);
    return true;
  }

  std::string context_is_full() const {
    return "the context of " + std::to_string(model_.context()) +
           " tokens is full; /reset begins anew, --truncate leaves out the oldest turns";
  }

  const TextModel& model_;
  const Flags& flags_;
  const Globals& globals_;
  Interrupts& interrupts_;
  std::vector<ChatMessage> messages_;
  bool interactive_ = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
};

int run(const Flags& flags, const Globals& globals) {
  if (const auto options = generate_options(flags.answer); !options) return fail(options.error());
  Interrupts interrupts;
  const auto model = load_text_model(flags.model, globals);
  if (!model) return fail(model.error());
  if (!model->has_chat_template()) {
    return fail(Error(Code::kUnsupported,
                      flags.model.model + ": the model has no chat template; `quintet run --raw` "
                                          "gives it prompts as they are"));
  }
  if (const auto loaded = load_prompt_cache(*model, flags.prompt_cache); !loaded) {
    return fail(loaded.error());
  }
  return Chat(*model, flags, globals, interrupts).run();
}

}  // namespace

void add_chat_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("chat", "A conversation with a language model, a line a turn");
  const auto flags = std::make_shared<Flags>();
  add_model_flags(*command, flags->model);
  add_answer_flags(*command, flags->answer);
  command->add_option("--system", flags->system, "What the model is told to be");
  add_prompt_cache_flag(*command, flags->prompt_cache);
  command->add_flag("--truncate", flags->truncate,
                    "Leaves out the oldest turns where the context is full");
  command->footer(kHelp);
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
