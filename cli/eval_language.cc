#include "cli/eval_language.h"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "quintet/core/file.h"
#include "quintet/eval/perplexity.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

// Of `against`: a precision of the same model, or a model.
Result<TextModel> load_second(const TextEvalFlags& flags, Globals globals) {
  ModelFlags model = flags.model;
  if (parse_precision(flags.against)) {
    globals.precision = flags.against;
  } else {
    model.model = flags.against;
    globals.precision = "auto";
  }
  return load_text_model(model, globals);
}

json perplexity_json(const eval::Perplexity& p) {
  return {{"value", p.value},
          {"interval", {p.interval.low, p.interval.high}},
          {"tokens", p.tokens},
          {"windows", p.windows}};
}

json report_json(const TextModel& model, const TextModel* second, const eval::TextScore& score) {
  json object = {{"metric", "perplexity"}, {"precision", precision_name(model.precision())}};
  object.update(perplexity_json(score.perplexity));
  if (score.agreement) {
    const eval::Agreement& a = *score.agreement;
    object["against"] = {
        {"precision", precision_name(second->precision())},
        {"perplexity", perplexity_json(a.perplexity)},
        {"log_perplexity_difference_interval", {a.difference.low, a.difference.high}},
        {"mean_kl", a.divergence},
        {"top1_agreement", 100 * a.top1}};
  }
  object["timings_ms"] = {{"load", model.load_milliseconds()}};
  return object;
}

void print(const json& report) {
  const auto line = [](const json& p, const std::string& name) {
    std::printf("perplexity at %s: %.3f (95 %% interval %.3f to %.3f, %lld tokens)\n", name.c_str(),
                p["value"].get<double>(), p["interval"][0].get<double>(),
                p["interval"][1].get<double>(), p["tokens"].get<long long>());
  };
  line(report, report["precision"].get<std::string>());
  if (!report.contains("against")) return;
  const json& against = report["against"];
  line(against["perplexity"], against["precision"].get<std::string>());
  std::printf("mean KL divergence %.5f nats, same likeliest token %.2f %%\n",
              against["mean_kl"].get<double>(), against["top1_agreement"].get<double>());
}

Result<json> evaluate(const TextEvalFlags& flags, const Globals& globals) {
  QT_TRY(const std::string text, read_file(flags.data, kMaxTextBytes));
  QT_TRY(const TextModel model, load_text_model(flags.model, globals));
  std::optional<TextModel> second;
  if (!flags.against.empty()) {
    QT_TRY(TextModel loaded, load_second(flags, globals));
    second.emplace(std::move(loaded));
  }
  QT_TRY(const std::vector<int32_t> tokens, model.encode(text).with(flags.model.model));
  const eval::PerplexityOptions options = {
      .window = flags.window, .skipped = flags.window / 2, .max_windows = flags.windows};
  ProgressBar progress(globals);
  const TextModel* other = second ? &*second : nullptr;
  QT_TRY(const eval::TextScore score,
         eval::score_text(model, other, tokens, options, [&](int64_t done, int64_t all) {
           progress.update("windows", static_cast<uint64_t>(done), static_cast<uint64_t>(all),
                           plain_count);
         }).with(flags.data));
  return report_json(model, other, score);
}

}  // namespace

int run_text_eval(const TextEvalFlags& flags, const Globals& globals) {
  const auto report = evaluate(flags, globals);
  if (!report) return fail(report.error());
  if (globals.json) {
    std::cout << report->dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  } else {
    print(*report);
  }
  return 0;
}

}  // namespace quintet::cli
