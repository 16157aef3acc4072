// What a sub-command is: cli/<name>.cc defines add_<name>_command, cli/commands.inc lists it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace quintet::cli {

struct Globals {
  bool json = false;
  bool quiet = false;
  int threads = 0;
  std::string precision = "auto";
};

// Runs the chosen sub-command; returns the exit code: 0 done, 1 failed, 2 wrong usage.
using Action = std::function<int()>;

// Each adds its sub-command to `app`. When the user chose it, its callback sets `action`, which
// runs after parsing is over. `globals` and `action` outlive `app`.
#define QT_COMMAND(name) void add_##name##_command(CLI::App& app, Globals& globals, Action& action);
#include "cli/commands.inc"
#undef QT_COMMAND

}  // namespace quintet::cli
