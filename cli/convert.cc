#include "quintet/engine/speech/convert.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "quintet/io/catalogue/store.h"

namespace quintet::cli {
namespace {

struct Flags {
  std::string model;
  std::string output;
  std::string to = "packed";
  std::string dtype = "float32";
};

Result<ConvertReport> convert(const Flags& flags, const Globals& globals) {
  QT_TRY(const std::filesystem::path source, io::find_model(flags.model));
  if (flags.to == "packed") {
    QT_TRY(const std::optional<Precision> precision, parse_precision(globals.precision));
    return convert_to_packed(source, flags.output, precision, globals.threads);
  }
  if (flags.to != "safetensors") {
    return Error(Code::kInvalidArgument,
                 "--to \"" + flags.to + "\" is unknown; use packed or safetensors");
  }
  if (flags.dtype != "float32" && flags.dtype != "float16") {
    return Error(Code::kInvalidArgument,
                 "--dtype \"" + flags.dtype + "\" is unknown; use float32 or float16");
  }
  return convert_to_hugging_face(source, flags.output,
                                 flags.dtype == "float16" ? DType::kF16 : DType::kF32);
}

int run(const Flags& flags, const Globals& globals) {
  const auto report = convert(flags, globals);
  if (!report) return fail(report.error());
  if (globals.json) {
    std::cout << nlohmann::ordered_json{{"path", report->path.string()},
                                        {"bytes", report->bytes},
                                        {"original_bytes", report->original_bytes}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << report->path.string() << ": " << human_bytes(report->bytes) << " from "
              << human_bytes(report->original_bytes) << "\n";
  }
  return 0;
}

}  // namespace

void add_convert_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("convert", "Write a model in another format or precision");
  const auto flags = std::make_shared<Flags>();
  command->add_option("MODEL", flags->model, "Installed model, folder or file")->required();
  command->add_option("-o,--output", flags->output, "File (packed) or folder (safetensors)")
      ->required();
  command
      ->add_option("--to", flags->to,
                   "packed: one .qnt file at --precision, loads by mapping; safetensors: a "
                   "Hugging Face folder")
      ->capture_default_str();
  command->add_option("--dtype", flags->dtype, "Of safetensors: float32 or float16")
      ->capture_default_str();
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
