#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/command.h"
#include "cli/eval_language.h"
#include "cli/output.h"
#include "cli/speech_flags.h"
#include "quintet/eval/data_file.h"
#include "quintet/eval/metrics.h"
#include "quintet/eval/statistics.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

struct Flags {
  SpeechFlags speech;
  std::string data;
  std::string metric = "wer";
  int64_t limit = 0;
};

struct Scored {
  const eval::DataItem* item;
  std::string answer;
  eval::Ratio ratio;
};

struct Evaluation {
  const eval::Metric* metric;
  std::vector<eval::DataItem> items;
  std::vector<Scored> scored;
  std::string precision;
  double audio_seconds = 0;
  Timings timings;
};

double per_cent(double rate) { return std::round(rate * 1e6) / 1e4; }

std::vector<eval::Ratio> ratios(const std::vector<Scored>& scored, const std::string* kind) {
  std::vector<eval::Ratio> values;
  for (const Scored& s : scored) {
    if (kind == nullptr || s.item->kind == *kind) values.push_back(s.ratio);
  }
  return values;
}

// An answer is right where the metric says so at its best: no errors, or everything matched.
bool differs(const Scored& s, const eval::Metric& metric) {
  const double best = metric.better == eval::Better::kLower ? 0 : 1;
  return s.ratio.rate() != best;
}

void add_timings(const Timings& from, Timings& to) {
  for (double Timings::*stage : {&Timings::preprocess, &Timings::encode, &Timings::prefill,
                                 &Timings::first_token, &Timings::decode, &Timings::total}) {
    to.*stage += from.*stage;
  }
  to.tokens += from.tokens;
}

SpeechInput item_input(const eval::DataItem& item, const TranscribeOptions& defaults) {
  TranscribeOptions options = defaults;
  if (options.language.empty()) options.language = item.language;
  return {.audio = item.audio.front(), .options = std::move(options)};
}

void score_item(const eval::DataItem& item, const Transcript& transcript, Evaluation& evaluation) {
  const eval::Ratio ratio =
      evaluation.metric->score(item.reference, transcript.text, transcript.language);
  evaluation.scored.push_back({&item, transcript.text, ratio});
  evaluation.audio_seconds += transcript.duration_seconds;
  add_timings(transcript.timings, evaluation.timings);
}

// The first item that fails stops the others.
Result<void> score_items(const SpeechModel& model, TranscribeOptions options, const Flags& flags,
                         const Globals& globals, Evaluation& evaluation) {
  std::stop_source stop;
  options.stop = stop.get_token();
  std::vector<SpeechInput> inputs;
  for (const eval::DataItem& item : evaluation.items) {
    inputs.push_back(item_input(item, options));
  }
  ProgressBar progress(globals);
  Result<void> scored;
  BatchOptions batch{.windows = flags.speech.batch};
  batch.on_result = [&](size_t i, const Result<Transcript>& transcript) {
    if (!scored) return;
    progress.update("items", i, inputs.size(), plain_count);
    if (transcript) {
      score_item(evaluation.items[i], *transcript, evaluation);
    } else {
      scored = eval::as_data_error(transcript.error(), flags.data, evaluation.items[i]);
      stop.request_stop();
    }
  };
  model.transcribe_batch(inputs, batch);
  return scored;
}

Result<Evaluation> evaluate(const Flags& flags, const Globals& globals) {
  Evaluation evaluation;
  evaluation.metric = eval::find_metric(flags.metric);
  if (evaluation.metric == nullptr) {
    std::string known;
    for (const eval::Metric& m : eval::all_metrics()) known.append(" ").append(m.name);
    return Error(Code::kInvalidArgument,
                 "--metric \"" + flags.metric + "\" is unknown; there are" + known);
  }
  QT_TRY(evaluation.items, eval::load_speech_items(flags.data));
  if (flags.limit > 0 && flags.limit < static_cast<int64_t>(evaluation.items.size())) {
    evaluation.items.resize(static_cast<size_t>(flags.limit));
  }
  QT_TRY(TranscribeOptions options, transcribe_options(flags.speech));
  options.timestamps = TimestampMode::kNone;
  QT_TRY(const SpeechModel model, load_speech_model(flags.speech, globals));
  QT_TRY_VOID(model.check(options));
  evaluation.precision = precision_name(model.precision());
  evaluation.timings.load = model.load_milliseconds();
  QT_TRY_VOID(score_items(model, options, flags, globals, evaluation));
  return evaluation;
}

json figure_json(const std::vector<eval::Ratio>& values, std::span<const int64_t> groups) {
  const eval::Interval interval = eval::bootstrap_interval(values, groups);
  return {{"value", per_cent(eval::sum(values).rate())},
          {"interval", {per_cent(interval.low), per_cent(interval.high)}},
          {"items", values.size()}};
}

json report_json(const Evaluation& e) {
  const std::vector<int64_t> groups = eval::groups_by_media(e.items);
  json object = {{"metric", e.metric->name}, {"precision", e.precision}};
  object.update(figure_json(ratios(e.scored, nullptr), groups));
  std::map<std::string, std::vector<int64_t>> groups_of_kind;
  for (size_t i = 0; i < e.scored.size(); ++i) {
    groups_of_kind[e.scored[i].item->kind].push_back(groups[i]);
  }
  json by_kind = json::object();
  for (const auto& [kind, kind_groups] : groups_of_kind) {
    by_kind[kind.empty() ? "(none)" : kind] = figure_json(ratios(e.scored, &kind), kind_groups);
  }
  object["by_kind"] = std::move(by_kind);
  json differing = json::array();
  for (const Scored& s : e.scored) {
    if (!differs(s, *e.metric)) continue;
    differing.push_back({{"id", s.item->id},
                         {"reference", s.item->reference},
                         {"answer", s.answer},
                         {"value", per_cent(s.ratio.rate())}});
  }
  object["differing"] = std::move(differing);
  object["timings_ms"] = timings_json(e.timings);
  object["tokens_per_second"] = std::round(e.timings.tokens_per_second() * 10) / 10;
  object["audio_seconds"] = std::round(e.audio_seconds * 1000) / 1000;
  return object;
}

void print(const json& report) {
  for (const json& item : report["differing"]) {
    std::printf("%s: %.2f %%\n  expected: %s\n  answered: %s\n",
                item["id"].get<std::string>().c_str(), item["value"].get<double>(),
                item["reference"].get<std::string>().c_str(),
                item["answer"].get<std::string>().c_str());
  }
  const auto line = [&](const std::string& name, const json& figure) {
    std::printf("%s: %.2f %% (95 %% interval %.2f to %.2f, %d items)\n", name.c_str(),
                figure["value"].get<double>(), figure["interval"][0].get<double>(),
                figure["interval"][1].get<double>(), figure["items"].get<int>());
  };
  const auto metric = report["metric"].get<std::string>();
  if (report["by_kind"].size() > 1) {
    for (const auto& [kind, figure] : report["by_kind"].items()) {
      line(metric + " of " + kind, figure);
    }
  }
  line(metric, report);
  std::printf("%.1f s of audio in %.1f s at %s\n", report["audio_seconds"].get<double>(),
              report["timings_ms"]["total"].get<double>() / 1000,
              report["precision"].get<std::string>().c_str());
}

int run_text(const Flags& flags, TextEvalFlags text, const Globals& globals) {
  text.model.model = flags.speech.model;
  text.model.baseline = flags.speech.baseline;
  text.data = flags.data;
  text.windows = flags.limit;
  return run_text_eval(text, globals);
}

int run(const Flags& flags, const Globals& globals) {
  const auto evaluation = evaluate(flags, globals);
  if (!evaluation) return fail(evaluation.error());
  const json report = report_json(*evaluation);
  if (globals.json) {
    std::cout << report.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  } else {
    print(report);
  }
  return 0;
}

}  // namespace

void add_eval_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("eval", "Accuracy on a data file");
  const auto flags = std::make_shared<Flags>();
  add_speech_flags(*command, flags->speech);
  const auto text = std::make_shared<TextEvalFlags>();
  command
      ->add_option("--data", flags->data,
                   "JSON lines: {\"audio\": path, \"text\": ...}; of a language model, a .txt file")
      ->required();
  command->add_option("--cache", text->model.cache,
                      "Language models: precision of keys and values, fp32, bf16 or int8");
  command->add_option("--against", text->against,
                      "Language models: another precision or model, for KL and agreement");
  command
      ->add_option("--window", text->window,
                   "Language models: tokens read together, of which the second half counts")
      ->check(CLI::Range(int64_t{4}, int64_t{1} << 24))
      ->capture_default_str();
  command->add_option("--metric", flags->metric, "wer or cer")->capture_default_str();
  command->add_option("--limit", flags->limit, "Only the first so many items; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([flags, text, &globals, &action] {
    action = [flags, text, &globals] {
      const bool is_text = std::filesystem::path(flags->data).extension() == ".txt";
      return is_text ? run_text(*flags, *text, globals) : run(*flags, globals);
    };
  });
}

}  // namespace quintet::cli
