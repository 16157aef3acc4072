#include <cstdio>

#include "cli/command.h"
#include "cli/output.h"
#include "quintet/core/version.h"

int main(int argc, char** argv) {
  using quintet::cli::Action;
  using quintet::cli::Globals;
  CLI::App app("Multimodal models, fast on the machine you have", "quintet");
  Globals globals;
  Action action;
  app.add_flag("--json", globals.json, "One JSON object on stdout, nothing else");
  app.add_flag("--quiet", globals.quiet, "No progress");
  app.add_option("--precision", globals.precision, "auto, fp32, bf16 or int8")
      ->capture_default_str();
  app.add_option("--threads", globals.threads, "Threads; 0: as many as the process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("quintet ") + quintet::kVersion);
  app.fallthrough();
  app.require_subcommand(0, 1);
#define QT_COMMAND(name) quintet::cli::add_##name##_command(app, globals, action);
#include "cli/commands.inc"
#undef QT_COMMAND
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return quintet::cli::fail({quintet::Code::kInvalidArgument, error.what()});
  }
  if (!action) {
    return quintet::cli::fail(
        {quintet::Code::kInvalidArgument, "no command given; `quintet --help` lists them"});
  }
  return action();
}
