#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "cli/bench_language.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/speech_flags.h"
#include "quintet/core/cpu.h"
#include "quintet/core/resources.h"
#include "quintet/eval/timing.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

struct Flags {
  SpeechFlags speech;
  std::string input;
  int repeat = 7;
  std::string compare;  // "baseline,int8": settings that take turns; empty: the one asked for.
};

// One way to run the model, loaded once, and what its runs took.
struct Setting {
  std::string name;
  SpeechModel model;
  std::vector<Timings> runs = {};
  std::string text = {};
  double seconds_of_audio = 0;
  double joules = 0;
};

Result<Setting> load_setting(const std::string& name, SpeechFlags flags, Globals globals) {
  if (name == "baseline") {
    flags.baseline = true;
  } else {
    globals.precision = name;
  }
  QT_TRY(SpeechModel model, load_speech_model(flags, globals));
  std::string label = flags.baseline ? "baseline" : name;
  if (label == "auto") label = "auto (" + std::string(precision_name(model.precision())) + ")";
  return Setting{label, std::move(model)};
}

Result<std::vector<Setting>> load_settings(const Flags& flags, const Globals& globals) {
  if (!flags.compare.empty() && (flags.speech.baseline || globals.precision != "auto")) {
    return Error(Code::kInvalidArgument,
                 "--compare names the settings; leave --baseline and --precision out");
  }
  std::vector<std::string> names;
  std::stringstream list(flags.compare);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  if (names.empty()) names.push_back(globals.precision);
  std::vector<Setting> settings;
  for (const std::string& name : names) {
    QT_TRY(Setting setting, load_setting(name, flags.speech, globals));
    settings.push_back(std::move(setting));
  }
  return settings;
}

Result<void> measure(std::vector<Setting>& settings, const Flags& flags, const Globals& globals) {
  QT_TRY(TranscribeOptions options, transcribe_options(flags.speech));
  options.timestamps = TimestampMode::kNone;
  const SpeechInput input{.audio = std::filesystem::path(flags.input), .options = options};
  ProgressBar progress(globals);
  return eval::interleave(settings.size(), flags.repeat, [&](size_t i, int round) -> Result<void> {
    Setting& setting = settings[i];
    progress.update("round", static_cast<uint64_t>(round) + 1, static_cast<uint64_t>(flags.repeat),
                    plain_count);
    const std::optional<double> before = package_energy_joules();
    auto results = setting.model.transcribe_batch({&input, 1}, {.windows = flags.speech.batch});
    QT_TRY(const Transcript transcript, std::move(results.front()));
    const std::optional<double> after = package_energy_joules();
    if (round < 0) {
      setting.text = transcript.text;
      setting.seconds_of_audio = transcript.duration_seconds;
      return {};
    }
    if (transcript.text != setting.text) {
      return Error(Code::kInternal, setting.name + " gave another text in round " +
                                        std::to_string(round) + ": " + transcript.text);
    }
    setting.runs.push_back(transcript.timings);
    if (before && after) setting.joules += std::max(0.0, *after - *before);
    return {};
  });
}

double median_of(const Setting& setting, double Timings::*stage) {
  std::vector<double> values;
  for (const Timings& run : setting.runs) values.push_back(run.*stage);
  return eval::median(std::move(values));
}

std::vector<double> totals(const Setting& setting) {
  std::vector<double> values;
  for (const Timings& run : setting.runs) values.push_back(run.total);
  return values;
}

double tokens_per_second(const Setting& setting) {
  const double decode = median_of(setting, &Timings::decode);
  return decode > 0 ? 1e3 * static_cast<double>(setting.runs.front().tokens) / decode : 0;
}

json memory_json(const MemoryUse& m) {
  return {{"encoder_weights", m.encoder_weights},
          {"decoder_weights", m.decoder_weights},
          {"embedding_weights", m.embedding_weights},
          {"activations", m.activations},
          {"caches", m.caches},
          {"original_weights", m.original_weights}};
}

json setting_json(const Setting& s) {
  Timings medians;
  for (double Timings::*stage :
       {&Timings::load, &Timings::preprocess, &Timings::encode, &Timings::prefill,
        &Timings::first_token, &Timings::decode, &Timings::total}) {
    medians.*stage = median_of(s, stage);
  }
  const double total = medians.total;
  json object = {{"setting", s.name}, {"text", s.text}, {"timings_ms", timings_json(medians)}};
  const std::vector<double> all = totals(s);
  object["total_ms_min"] = *std::min_element(all.begin(), all.end());
  object["total_relative_spread"] = eval::relative_spread(all);
  object["tokens_per_second"] = tokens_per_second(s);
  object["inferences_per_second"] = 1e3 / total;
  object["audio_seconds_per_second"] = 1e3 * s.seconds_of_audio / total;
  object["memory_bytes"] = memory_json(s.model.memory());
  const bool has_energy = package_energy_joules().has_value();
  object["joules_per_inference"] =
      has_energy ? json(s.joules / static_cast<double>(s.runs.size())) : json(nullptr);
  return object;
}

json report_json(const std::vector<Setting>& settings, const Flags& flags) {
  json all = json::array();
  for (const Setting& s : settings) all.push_back(setting_json(s));
  json object = {{"input", flags.input},
                 {"repeat", flags.repeat},
                 {"isa", isa_name(active_isa())},
                 {"threads", settings.front().model.threads()},
                 {"peak_resident_bytes", peak_resident_bytes()},
                 {"text", settings.front().text}};
  object["timings_ms"] = all.front()["timings_ms"];
  object["tokens_per_second"] = all.front()["tokens_per_second"];
  object["settings"] = std::move(all);
  return object;
}

void print_times(const std::vector<Setting>& settings, const Flags& flags) {
  std::printf("%s, %.1f s of audio, %d rounds interleaved, %d threads, %s\n", flags.input.c_str(),
              settings.front().seconds_of_audio, flags.repeat, settings.front().model.threads(),
              std::string(isa_name(active_isa())).c_str());
  std::printf("%-14s %9s %9s %9s %9s %9s %9s %8s %8s %7s\n", "median ms", "total", "min", "mel",
              "encode", "prefill", "decode", "tok/s", "x real", "ratio");
  const double first = median_of(settings.front(), &Timings::total);
  for (const Setting& s : settings) {
    const std::vector<double> all = totals(s);
    const double total = eval::median(all);
    std::printf("%-14s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %8.0f %8.1f %7.3f\n", s.name.c_str(),
                total, *std::min_element(all.begin(), all.end()),
                median_of(s, &Timings::preprocess), median_of(s, &Timings::encode),
                median_of(s, &Timings::prefill), median_of(s, &Timings::decode),
                tokens_per_second(s), 1e3 * s.seconds_of_audio / total, total / first);
  }
}

void print_resources(const std::vector<Setting>& settings) {
  std::printf("%-14s %9s %9s %9s %9s %9s %9s %9s %9s\n", "memory", "encoder", "decoder", "head",
              "activ.", "caches", "weights", "original", "inf./s");
  for (const Setting& s : settings) {
    const MemoryUse m = s.model.memory();
    std::printf("%-14s %9s %9s %9s %9s %9s %9s %9s %9.2f\n", s.name.c_str(),
                human_bytes(m.encoder_weights).c_str(), human_bytes(m.decoder_weights).c_str(),
                human_bytes(m.embedding_weights).c_str(), human_bytes(m.activations).c_str(),
                human_bytes(m.caches).c_str(), human_bytes(m.weights()).c_str(),
                human_bytes(m.original_weights).c_str(), 1e3 / median_of(s, &Timings::total));
  }
  std::printf("peak resident memory of the process: %s\n",
              human_bytes(peak_resident_bytes()).c_str());
  if (!package_energy_joules()) {
    std::printf("energy: this machine does not let it be read\n");
  } else {
    for (const Setting& s : settings) {
      std::printf("energy of %s: %.2f J per inference (whole package)\n", s.name.c_str(),
                  s.joules / static_cast<double>(s.runs.size()));
    }
  }
}

void print_texts(const std::vector<Setting>& settings) {
  for (const Setting& s : settings) {
    if (&s == &settings.front() || s.text != settings.front().text) {
      std::printf("%s: %s\n", s.name.c_str(), s.text.c_str());
    }
  }
}

int run_text(const Flags& flags, TextBenchFlags text, const Globals& globals) {
  text.model.model = flags.speech.model;
  text.model.baseline = flags.speech.baseline;
  text.input = flags.input;
  text.compare = flags.compare;
  text.repeat = flags.repeat;
  return run_text_bench(text, globals);
}

int run(const Flags& flags, const Globals& globals) {
  if (flags.input.empty()) {
    return fail(Error(Code::kInvalidArgument,
                      "--input is missing: an audio file, or --prompt-tokens of a language model"));
  }
  auto settings = load_settings(flags, globals);
  if (!settings) return fail(settings.error());
  if (const auto measured = measure(*settings, flags, globals); !measured) {
    return fail(measured.error());
  }
  if (globals.json) {
    std::cout << report_json(*settings, flags).dump(2, ' ', false, json::error_handler_t::replace)
              << "\n";
    return 0;
  }
  print_texts(*settings);
  print_times(*settings, flags);
  print_resources(*settings);
  return 0;
}

}  // namespace

void add_bench_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("bench", "Honest timing by stage: warm, loaded once, medians");
  const auto flags = std::make_shared<Flags>();
  add_speech_flags(*command, flags->speech);
  const auto text = std::make_shared<TextBenchFlags>();
  command->add_option("--input", flags->input,
                      "Audio file; of a language model, the text that prompts are cut from");
  const auto* prompt_tokens =
      command
          ->add_option("--prompt-tokens", text->prompt_tokens,
                       "Language models: tokens of each prompt; random ones without --input")
          ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  command->add_option("--new-tokens", text->new_tokens, "Language models: tokens of each answer")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->capture_default_str();
  command->add_option("--sequences", text->sequences, "Language models: prompts at a time")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  command->add_option("--cache", text->model.cache,
                      "Language models: precision of keys and values, fp32, bf16 or int8");
  command->add_flag("--lookup", text->lookup, "Language models: run repeated text ahead");
  command->add_option("--repeat", flags->repeat, "Timed rounds after one to warm up")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option(
      "--compare", flags->compare,
      "Settings that take turns: baseline, fp32, bf16, int8, int4, auto; separated by "
      "commas");
  command->callback([flags, text, prompt_tokens, &globals, &action] {
    action = [flags, text, is_text = prompt_tokens->count() > 0, &globals] {
      return is_text ? run_text(*flags, *text, globals) : run(*flags, globals);
    };
  });
}

}  // namespace quintet::cli
