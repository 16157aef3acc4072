#include "quintet/io/catalogue/pull.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"

namespace quintet::cli {
namespace {

struct PullArguments {
  std::string name;
  bool force = false;
};

std::string label_of(const io::PullProgress& progress) {
  switch (progress.stage) {
    case io::PullStage::kWaiting: return "waiting for another pull";
    case io::PullStage::kDownloading: return std::string(progress.item);
    case io::PullStage::kUnpacking: return "unpacking " + std::string(progress.item);
  }
  return "";
}

int run_pull(const PullArguments& arguments, const Globals& globals) {
  ProgressBar bar(globals);
  io::PullOptions options;
  options.force = arguments.force;
  options.progress = [&](const io::PullProgress& progress) {
    bar.update(label_of(progress), progress.done_bytes, progress.total_bytes, human_bytes);
    return true;
  };
  const Result<io::PullReport> report = io::pull_model(arguments.name, options);
  bar.clear();
  if (!report) return fail(report.error());
  if (globals.json) {
    const nlohmann::json object = {{"name", arguments.name},
                                   {"path", report->path.string()},
                                   {"bytes", report->bytes},
                                   {"downloaded_bytes", report->downloaded_bytes},
                                   {"already_there", report->already_there}};
    const auto replace = nlohmann::json::error_handler_t::replace;
    std::printf("%s\n", object.dump(-1, ' ', false, replace).c_str());
  } else if (!globals.quiet) {
    std::printf("%s: %s in %s (%s)\n", arguments.name.c_str(),
                report->already_there ? "already there," : "installed", report->path.c_str(),
                human_bytes(report->bytes).c_str());
  }
  return 0;
}

}  // namespace

void add_pull_command(CLI::App& app, Globals& globals, Action& action) {
  CLI::App* command = app.add_subcommand("pull", "Get a model: download, check, install");
  const auto arguments = std::make_shared<PullArguments>();
  command
      ->add_option("name", arguments->name,
                   "A name that `quintet models` lists, or hf:OWNER/REPO[:FILE.gguf]")
      ->required();
  command->add_flag("--force", arguments->force, "Get it again, even if it is there");
  command->callback([&globals, &action, arguments] {
    action = [&globals, arguments] { return run_pull(*arguments, globals); };
  });
}

}  // namespace quintet::cli
