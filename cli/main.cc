#include <cstdio>
#include <iostream>
#include <new>

#include "cli/command.h"
#include "cli/output.h"
#include "quintet/core/version.h"

namespace {

using quintet::Code;
using quintet::cli::fail;

// The exit code of the command; results that did not reach their reader are a failure.
int run_safely(const quintet::cli::Action& action) {
  int exit_code = 0;
  try {
    exit_code = action();
  } catch (const std::bad_alloc&) {
    return fail({Code::kExhausted, "out of memory"});
  }
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail({Code::kIo, "standard output: cannot write all of the result"});
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  using quintet::cli::Action;
  using quintet::cli::Globals;
  CLI::App app("Multimodal models, fast on the machine you have", "quintet");
  Globals globals;
  Action action;
  app.add_flag("--json", globals.json, "One JSON object on stdout, nothing else");
  app.add_flag("--quiet", globals.quiet, "No progress");
  app.add_option("--precision", globals.precision, "auto, fp32, bf16, int8 or int4")
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
    return fail({Code::kInvalidArgument, error.what()});
  }
  if (!action) {
    return fail({Code::kInvalidArgument, "no command given; `quintet --help` lists them"});
  }
  return run_safely(action);
}
