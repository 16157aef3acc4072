#include "quintet/compress/calibrate/calibrate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "quintet/compress/calibrate/layer_noise.h"
#include "quintet/core/file.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/speech/make_speech_model.h"
#include "quintet/engine/speech/speech_model.h"
#include "quintet/eval/data_file.h"
#include "quintet/eval/metrics.h"
#include "quintet/eval/statistics.h"

namespace quintet::compress {
namespace {

using kernels::WeightFormat;
using whisper::LayerChoice;
using whisper::Plan;

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string decibels(double db) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f dB", db);
  return text;
}

// Every matrix at int8, also those that stay out of int8 models.
Plan all_int8(const whisper::Config& config) {
  Plan plan = whisper::default_plan(config, Precision::kInt8);
  for (auto& [name, choice] : plan) choice = {WeightFormat::kI8, "to measure its noise"};
  return plan;
}

// As the plain plan of `precision`, but for int8 layers whose signal to noise is below `threshold`:
// bfloat16.
Plan plan_for(const whisper::Config& config, Precision precision,
              const std::map<std::string, double>& snr_db, double threshold) {
  Plan plan = whisper::default_plan(config, precision);
  for (auto& [name, choice] : plan) {
    const auto snr = snr_db.find(name);
    if (snr == snr_db.end()) continue;  // Not used on this data: no reason against it.
    choice.snr_db = std::round(snr->second * 100) / 100;
    if (choice.format != WeightFormat::kI8) continue;
    const bool quiet = snr->second >= threshold;
    choice.format = quiet ? WeightFormat::kI8 : WeightFormat::kBF16;
    choice.reason = "signal to noise at int8 " + decibels(snr->second) +
                    (quiet ? ", at least " : ", below ") + decibels(threshold);
  }
  return plan;
}

// What was measured of the layers that int8 models have at int8.
std::map<std::string, double> int8_layers(const whisper::Config& config,
                                          const std::map<std::string, double>& snr_db) {
  const Plan plan = whisper::default_plan(config, Precision::kInt8);
  std::map<std::string, double> out = snr_db;
  std::erase_if(
      out, [&](const auto& layer) { return plan.at(layer.first).format != WeightFormat::kI8; });
  return out;
}

// What a model made of the recordings.
struct Answers {
  std::vector<std::string> texts;
  std::vector<std::string> languages;
  std::vector<eval::Ratio> errors;
};

class Judge {
 public:
  Judge(std::filesystem::path data, std::vector<eval::DataItem> items,
        const CalibrationOptions& options)
      : data_(std::move(data)),
        items_(std::move(items)),
        groups_(eval::groups_by_media(items_)),
        options_(options) {}

  Result<Answers> ask(const SpeechModel& model, std::string_view pass) const {
    Answers answers;
    for (const eval::DataItem& item : items_) {
      if (options_.on_progress) {
        options_.on_progress(pass, std::ssize(answers.texts), std::ssize(items_));
      }
      TranscribeOptions how;
      how.language = item.language;
      how.timestamps = TimestampMode::kNone;
      how.exact_length = false;  // What is compared is the precision and nothing else.
      auto transcript = model.transcribe(item.audio.front(), how);
      if (!transcript) {
        return eval::as_data_error(transcript.error(), data_, item);
      }
      answers.errors.push_back(
          eval::word_error_rate(item.reference, transcript->text, transcript->language));
      answers.texts.push_back(std::move(transcript->text));
      answers.languages.push_back(std::move(transcript->language));
    }
    return answers;
  }

  Error inaudible() const {
    return Error(Code::kCorrupt, data_.string() + ": none of its recordings can be heard");
  }

  AccuracyCheck compare(const Answers& original, const Answers& compressed,
                        std::optional<double> threshold_db) const {
    AccuracyCheck check{.data = data_.filename().string(),
                        .date = options_.date,
                        .items = std::ssize(items_),
                        .words = eval::sum(original.errors).denominator,
                        .max_drop = options_.max_drop,
                        .threshold_db = threshold_db};
    check.original = measured(original.errors);
    check.compressed = measured(compressed.errors);
    check.difference =
        rate(check.compressed.value - check.original.value,
             eval::bootstrap_difference(original.errors, compressed.errors, groups_));
    std::vector<eval::Ratio> changes;
    for (size_t i = 0; i < items_.size(); ++i) {
      changes.push_back(
          eval::word_error_rate(original.texts[i], compressed.texts[i], original.languages[i]));
    }
    check.agreement = std::max(0.0, 100 * (1 - eval::sum(changes).rate()));
    return check;
  }

 private:
  static MeasuredRate rate(double per_cent, const eval::Interval& interval) {
    return {per_cent, 100 * interval.low, 100 * interval.high};
  }
  MeasuredRate measured(std::span<const eval::Ratio> errors) const {
    return rate(100 * eval::sum(errors).rate(), eval::bootstrap_interval(errors, groups_));
  }

  std::filesystem::path data_;
  std::vector<eval::DataItem> items_;
  std::vector<int64_t> groups_;
  const CalibrationOptions& options_;
};

struct Reference {
  Answers answers;
  std::map<std::string, double> snr_db;
};

// One search for the plan.
class Calibrator {
 public:
  Calibrator(const std::filesystem::path& source, const std::filesystem::path& file,
             const Judge& judge, const CalibrationOptions& options)
      : source_(source), file_(file), judge_(judge), options_(options), pool_(options.threads) {}

  Result<Calibration> run() {
    QT_TRY(weights_, io::read_weights(source_));
    if (weights_.format == "packed") {
      return Error(Code::kUnsupported,
                   "is packed already; calibration starts from the published weights");
    }
    QT_TRY(const Reference reference, run_float32());
    if (options_.precision == Precision::kBF16) return try_bf16(reference);
    if (options_.precision == Precision::kInt4) {
      QT_TRY(const auto found,
             try_at(reference, Precision::kInt4, noise_threshold(reference.snr_db)));
      if (found) return *found;
    }
    for (const double threshold : noise_thresholds(reference.snr_db)) {
      QT_TRY(const auto found, try_at(reference, Precision::kInt8, threshold));
      if (found) return *found;
    }
    return try_bf16(reference);
  }

 private:
  Result<Reference> run_float32() {
    QT_TRY(auto exact, whisper::load_model(source_, Precision::kF32, pool_));
    config_ = exact->config;
    QT_TRY(const whisper::PackedModel quantized,
           weights::pack_model(weights_, whisper::layer_specs(config_), Precision::kInt8,
                               all_int8(config_), pool_));
    LayerNoise noise(*exact, quantized);
    exact->observer = &noise;
    QT_TRY(const SpeechModel model,
           make_speech_model(std::move(exact), {.threads = options_.threads, .baseline = true}));
    Reference reference;
    QT_TRY(reference.answers, judge_.ask(model, "fp32"));
    reference.snr_db = int8_layers(config_, noise.snr_db());
    if (reference.snr_db.empty()) return judge_.inaudible();
    return reference;
  }

  Result<std::optional<Calibration>> try_at(const Reference& reference, Precision precision,
                                            double threshold) {
    return attempt(reference, precision, plan_for(config_, precision, reference.snr_db, threshold),
                   threshold);
  }

  Result<Calibration> try_bf16(const Reference& reference) {
    QT_TRY(const auto found, attempt(reference, Precision::kBF16,
                                     whisper::default_plan(config_, Precision::kBF16), {}));
    if (found) return *found;
    char missed[96];
    std::snprintf(missed, sizeof missed,
                  "no precision keeps the word error rate within %g points of float32; bf16 loses "
                  "%.2f",
                  options_.max_drop, last_drop_);
    return Error(Code::kTargetMissed, missed);
  }

  // The model that is written, if it passes.
  Result<std::optional<Calibration>> attempt(const Reference& reference, Precision precision,
                                             Plan plan, std::optional<double> threshold) {
    QT_TRY(auto model, whisper::load_published_model(source_, precision, plan, pool_));
    whisper::Model* const kept = model.get();
    QT_TRY(const SpeechModel speech,
           make_speech_model(std::move(model), {.threads = options_.threads}));
    QT_TRY(const Answers answers, judge_.ask(speech, precision_name(precision)));
    Calibration found{.precision = precision,
                      .check = judge_.compare(reference.answers, answers, threshold),
                      .plan = std::move(plan),
                      .original_bytes = kept->original_bytes};
    last_drop_ = found.check.difference.value;
    if (!found.check.passed()) return std::optional<Calibration>();
    kept->accuracy_check = found.check;
    QT_TRY_VOID(whisper::save_packed(*kept, file_));
    std::error_code ignored;
    found.bytes = std::filesystem::file_size(file_, ignored);
    return std::optional(std::move(found));
  }

  const std::filesystem::path& source_;
  const std::filesystem::path& file_;
  const Judge& judge_;
  const CalibrationOptions& options_;
  ThreadPool pool_;
  io::WeightFile weights_;
  whisper::Config config_;
  double last_drop_ = 0;
};

}  // namespace

std::vector<double> noise_thresholds(const std::map<std::string, double>& snr_db) {
  std::vector<double> sorted;
  for (const auto& [name, db] : snr_db) sorted.push_back(db);
  std::ranges::sort(sorted);
  std::vector<double> out = {noise_threshold(snr_db)};
  if (sorted.empty()) return out;
  const auto layers_below = [&](double db) {
    return std::ranges::lower_bound(sorted, db) - sorted.begin();
  };
  for (const size_t quarter : {1, 2, 3}) {
    const double next = sorted[sorted.size() * quarter / 4];
    // One that takes no layer more away would be a pass over the recordings for nothing.
    if (layers_below(next) > layers_below(out.back())) out.push_back(next);
  }
  return out;
}

double noise_threshold(const std::map<std::string, double>& snr_db) {
  std::vector<double> values;
  for (const auto& [name, db] : snr_db) values.push_back(db);
  if (values.empty()) return kLeastSnr;
  const double middle = median(values);
  for (double& value : values) value = std::abs(value - middle);
  constexpr double kDeviations = 3;
  constexpr double kOfNormal = 1.4826;
  return std::max(kLeastSnr, middle - kDeviations * kOfNormal * median(values));
}

Result<Calibration> calibrate(const std::filesystem::path& source,
                              const std::filesystem::path& data, const std::filesystem::path& file,
                              const CalibrationOptions& options) {
  if (options.precision == Precision::kF32) {
    return Error(
        Code::kInvalidArgument,
        "fp32 is what calibration compares with; use --precision auto, int4, int8 or bf16");
  }
  if (!(options.max_drop >= 0)) {
    return Error(Code::kInvalidArgument, "max-drop is " + std::to_string(options.max_drop) +
                                             ", expected a number of points from 0 on");
  }
  QT_TRY_VOID(check_can_write(file));
  QT_TRY(std::vector<eval::DataItem> items, eval::load_speech_items(data));
  const Judge judge(data, std::move(items), options);
  return Calibrator(source, file, judge, options).run().with(source.string());
}

}  // namespace quintet::compress
