#include "quintet/engine/models/convert.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/accuracy.h"
#include "cli/command.h"
#include "cli/output.h"
#include "quintet/compress/calibrate/calibrate.h"
#include "quintet/engine/models/model_kind.h"
#include "quintet/engine/nn/weight_formats.h"
#include "quintet/io/catalogue/store.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

struct Flags {
  std::string model;
  std::string output;
  std::string to = "packed";
  std::string dtype = "float32";
  std::optional<std::string> calibrate;  // Data file.
  double max_drop = 1;
};

Error wrong(const std::string& what) { return {Code::kInvalidArgument, what}; }

std::string today() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

Result<compress::Calibration> calibrate(const Flags& flags, const Globals& globals) {
  if (flags.to != "packed") return wrong("--calibrate makes packed files: leave --to out");
  if (flags.calibrate->empty()) return wrong("--calibrate needs the name of a data file");
  QT_TRY(const std::filesystem::path source, io::find_model(flags.model));
  if (model_kind(source) != ModelKind::kSpeech) {
    return Error(
        Code::kUnsupported,
        source.string() + ": --calibrate measures speech models, this is a language model");
  }
  ProgressBar progress(globals);
  compress::CalibrationOptions options{
      .max_drop = flags.max_drop, .date = today(), .threads = globals.threads};
  options.on_progress = [&](std::string_view pass, int64_t done, int64_t items) {
    progress.update(pass, static_cast<uint64_t>(done), static_cast<uint64_t>(items), plain_count);
  };
  QT_TRY(options.precision, parse_precision(globals.precision));
  return compress::calibrate(source, *flags.calibrate, flags.output, options);
}

Result<ConvertReport> convert(const Flags& flags, const Globals& globals) {
  QT_TRY(const std::filesystem::path source, io::find_model(flags.model));
  if (flags.to == "packed") {
    QT_TRY(const std::optional<Precision> precision, parse_precision(globals.precision));
    return convert_to_packed(source, flags.output, precision, globals.threads);
  }
  if (flags.to != "safetensors") {
    return wrong("--to \"" + flags.to + "\" is unknown; use packed or safetensors");
  }
  if (flags.dtype != "float32" && flags.dtype != "float16") {
    return wrong("--dtype \"" + flags.dtype + "\" is unknown; use float32 or float16");
  }
  return convert_to_hugging_face(source, flags.output,
                                 flags.dtype == "float16" ? DType::kF16 : DType::kF32);
}

void print_sizes(const std::string& path, uint64_t bytes, uint64_t original_bytes) {
  std::cout << path << ": " << human_bytes(bytes) << " from " << human_bytes(original_bytes)
            << "\n";
}

void print_calibration(const Flags& flags, const compress::Calibration& c) {
  print_sizes(flags.output, c.bytes, c.original_bytes);
  for (const auto& [name, choice] : c.plan) {
    if (choice.format != kernels::WeightFormat::kI8) {
      std::printf("  %s: %s, %s\n", name.c_str(),
                  std::string(nn::weight_format_name(choice.format)).c_str(),
                  choice.reason.c_str());
    }
  }
  print_check(precision_name(c.precision), c.check);
}

int run(const Flags& flags, const Globals& globals) {
  if (flags.calibrate) {
    const auto calibration = calibrate(flags, globals);
    if (!calibration) return fail(calibration.error());
    if (!globals.json) {
      print_calibration(flags, *calibration);
      return 0;
    }
    std::cout << json{{"path", flags.output},
                      {"bytes", calibration->bytes},
                      {"original_bytes", calibration->original_bytes},
                      {"precision", precision_name(calibration->precision)},
                      {"layers", json::parse(weights::plan_to_json(calibration->plan))},
                      {"accuracy_check", json::parse(accuracy_check_to_json(calibration->check))}}
                     .dump(2, ' ', false, json::error_handler_t::replace)
              << "\n";
    return 0;
  }
  const auto report = convert(flags, globals);
  if (!report) return fail(report.error());
  if (globals.json) {
    std::cout << json{{"path", report->path.string()},
                      {"bytes", report->bytes},
                      {"original_bytes", report->original_bytes}}
                     .dump(2)
              << "\n";
  } else {
    print_sizes(report->path.string(), report->bytes, report->original_bytes);
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
                   "packed: one .qnt file at --precision, loads at once; safetensors: a "
                   "Hugging Face folder (speech models)")
      ->capture_default_str();
  command->add_option("--dtype", flags->dtype, "Of safetensors: float32 or float16")
      ->capture_default_str();
  auto* calibrate_option = command->add_option("--calibrate", flags->calibrate,
                                               "Speech models: recordings and their texts "
                                               "({\"audio\": path, \"text\": ...} a line): measure "
                                               "each layer's noise at int8 and the words lost "
                                               "against float32, and write the first choice of "
                                               "layers that passes");
  command
      ->add_option("--max-drop", flags->max_drop,
                   "Points of word error rate that --calibrate may lose")
      ->needs(calibrate_option)
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
