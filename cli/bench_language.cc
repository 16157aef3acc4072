#include "cli/bench_language.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <vector>

#include "cli/output.h"
#include "quintet/core/cpu.h"
#include "quintet/core/file.h"
#include "quintet/core/resources.h"
#include "quintet/eval/timing.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

// What one run takes: all prompts and all answers.
struct Run {
  double prefill = 0;  // Up to the first token of the last sequence, milliseconds.
  double decode = 0;   // From there.
};

// One way to run the model, loaded once, and what its runs took.
struct Setting {
  std::string name;
  TextModel model;
  std::vector<std::vector<int32_t>> prompts = {};
  std::vector<std::vector<int32_t>> answers = {};
  std::vector<Run> runs = {};
};

Result<std::vector<std::vector<int32_t>>> make_prompts(const TextModel& model,
                                                       const TextBenchFlags& flags) {
  if (flags.prompt_tokens >= model.context()) {
    return Error(Code::kExhausted, "--prompt-tokens asks for " +
                                       std::to_string(flags.prompt_tokens) +
                                       " tokens, the context has room for " +
                                       std::to_string(model.context()) + " with the answer");
  }
  const int64_t wanted = flags.sequences * flags.prompt_tokens;
  std::vector<int32_t> tokens;
  if (flags.input.empty()) {
    std::mt19937 engine(1);
    for (int64_t i = 0; i < wanted; ++i) {
      tokens.push_back(static_cast<int32_t>(engine() % static_cast<uint32_t>(model.vocabulary())));
    }
  } else {
    QT_TRY(const std::string text, read_file(flags.input, uint64_t{1} << 30));
    QT_TRY(tokens, model.encode(text).with(flags.model.model));
    if (std::ssize(tokens) < wanted) {
      return Error(Code::kInvalidArgument, flags.input + ": has " + std::to_string(tokens.size()) +
                                               " tokens, " + std::to_string(wanted) +
                                               " are asked for");
    }
  }
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = 0; i < flags.sequences; ++i) {
    const auto first = tokens.begin() + i * flags.prompt_tokens;
    prompts.emplace_back(first, first + flags.prompt_tokens);
  }
  return prompts;
}

Result<Setting> load_setting(const std::string& name, const TextBenchFlags& flags,
                             Globals globals) {
  ModelFlags model_flags = flags.model;
  if (name == "baseline") {
    model_flags.baseline = true;
  } else {
    globals.precision = name;
  }
  QT_TRY(TextModel model, load_text_model(model_flags, globals));
  std::string label = model_flags.baseline ? "baseline" : name;
  if (label == "auto") label = "auto (" + std::string(precision_name(model.precision())) + ")";
  Setting setting{label, std::move(model)};
  QT_TRY(setting.prompts, make_prompts(setting.model, flags));
  return setting;
}

Result<std::vector<Setting>> load_settings(const TextBenchFlags& flags, const Globals& globals) {
  std::vector<std::string> names;
  std::stringstream list(flags.compare);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  if (names.empty()) names.push_back(globals.precision);
  std::vector<Setting> settings;
  for (const std::string& name : names) {
    QT_TRY(Setting setting, load_setting(name, flags, globals));
    settings.push_back(std::move(setting));
  }
  return settings;
}

Result<void> run_once(Setting& setting, const TextBenchFlags& flags, bool warm_up) {
  setting.model.forget_prefixes();
  std::vector<GenerateRequest> requests;
  for (const auto& prompt : setting.prompts) {
    requests.push_back(
        {prompt,
         {.max_new_tokens = flags.new_tokens, .ignore_end = true, .speculate = flags.lookup}});
  }
  Run run;
  std::vector<std::vector<int32_t>> answers;
  double total = 0;
  for (auto& result : setting.model.generate_batch(requests)) {
    QT_TRY(Generation generation, std::move(result));
    if (std::ssize(generation.tokens) != flags.new_tokens) {
      return Error(Code::kExhausted, setting.name + ": an answer ended after " +
                                         std::to_string(generation.tokens.size()) +
                                         " tokens, the context is full");
    }
    run.prefill = std::max(run.prefill, generation.timings.first_token);
    total = std::max(total, generation.timings.total);
    answers.push_back(std::move(generation.tokens));
  }
  run.decode = total - run.prefill;
  if (warm_up) {
    setting.answers = std::move(answers);
    return {};
  }
  if (answers != setting.answers) {
    return Error(Code::kInternal, setting.name + " gave other tokens than before");
  }
  setting.runs.push_back(run);
  return {};
}

double median_of(const Setting& setting, double Run::*stage) {
  std::vector<double> values;
  for (const Run& run : setting.runs) values.push_back(run.*stage);
  return eval::median(std::move(values));
}

double total_of(const Setting& s) {
  std::vector<double> values;
  for (const Run& run : s.runs) values.push_back(run.prefill + run.decode);
  return eval::median(std::move(values));
}

double prompt_speed(const Setting& s, const TextBenchFlags& flags) {
  return 1e3 * static_cast<double>(flags.sequences * flags.prompt_tokens) /
         median_of(s, &Run::prefill);
}

double answer_speed(const Setting& s, const TextBenchFlags& flags) {
  const double decode = median_of(s, &Run::decode);
  const auto tokens = static_cast<double>(flags.sequences * (flags.new_tokens - 1));
  return decode > 0 ? 1e3 * tokens / decode : 0;
}

json setting_json(const Setting& s, const TextBenchFlags& flags) {
  const Timings medians = {.load = s.model.load_milliseconds(),
                           .prefill = median_of(s, &Run::prefill),
                           .first_token = median_of(s, &Run::prefill),
                           .decode = median_of(s, &Run::decode),
                           .total = total_of(s)};
  const TextMemoryUse memory = s.model.memory();
  return {{"setting", s.name},
          {"timings_ms", timings_json(medians)},
          {"prompt_tokens_per_second", prompt_speed(s, flags)},
          {"tokens_per_second", answer_speed(s, flags)},
          {"ids", s.answers},
          {"memory_bytes",
           {{"weights", memory.weights},
            {"activations", memory.activations},
            {"cache", memory.cache},
            {"original_weights", memory.original_weights}}}};
}

json report_json(const std::vector<Setting>& settings, const TextBenchFlags& flags) {
  json all = json::array();
  for (const Setting& s : settings) all.push_back(setting_json(s, flags));
  json object = {{"model", flags.model.model},
                 {"prompt_tokens", flags.prompt_tokens},
                 {"new_tokens", flags.new_tokens},
                 {"sequences", flags.sequences},
                 {"repeat", flags.repeat},
                 {"isa", isa_name(active_isa())},
                 {"threads", settings.front().model.threads()},
                 {"peak_resident_bytes", peak_resident_bytes()},
                 {"prompts", settings.front().prompts}};
  for (const char* key : {"timings_ms", "tokens_per_second", "ids"}) {
    object[key] = all.front()[key];
  }
  object["settings"] = std::move(all);
  return object;
}

void print(const std::vector<Setting>& settings, const TextBenchFlags& flags) {
  std::printf("%s, %lld sequences of %lld + %lld tokens, %d rounds interleaved, %d threads, %s\n",
              flags.model.model.c_str(), static_cast<long long>(flags.sequences),
              static_cast<long long>(flags.prompt_tokens), static_cast<long long>(flags.new_tokens),
              flags.repeat, settings.front().model.threads(),
              std::string(isa_name(active_isa())).c_str());
  std::printf("%-14s %9s %9s %9s %12s %12s %7s %9s %9s\n", "median ms", "load", "prompt", "answer",
              "prompt tok/s", "answer tok/s", "ratio", "weights", "cache");
  for (const Setting& s : settings) {
    const TextMemoryUse memory = s.model.memory();
    std::printf("%-14s %9.1f %9.1f %9.1f %12.0f %12.1f %7.3f %9s %9s\n", s.name.c_str(),
                s.model.load_milliseconds(), median_of(s, &Run::prefill),
                median_of(s, &Run::decode), prompt_speed(s, flags), answer_speed(s, flags),
                total_of(s) / total_of(settings.front()), human_bytes(memory.weights).c_str(),
                human_bytes(memory.cache).c_str());
  }
  std::printf("peak resident memory of the process: %s\n",
              human_bytes(peak_resident_bytes()).c_str());
}

}  // namespace

int run_text_bench(const TextBenchFlags& flags, const Globals& globals) {
  auto settings = load_settings(flags, globals);
  if (!settings) return fail(settings.error());
  ProgressBar progress(globals);
  const auto measured =
      eval::interleave(settings->size(), flags.repeat, [&](size_t i, int round) -> Result<void> {
        progress.update("round", static_cast<uint64_t>(round) + 1,
                        static_cast<uint64_t>(flags.repeat), plain_count);
        return run_once((*settings)[i], flags, round < 0);
      });
  progress.clear();
  if (!measured) return fail(measured.error());
  if (globals.json) {
    std::cout << report_json(*settings, flags).dump(2, ' ', false, json::error_handler_t::replace)
              << "\n";
  } else {
    print(*settings, flags);
  }
  return 0;
}

}  // namespace quintet::cli
