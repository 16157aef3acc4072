#include "quintet/eval/profile.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/speech_flags.h"
#include "quintet/core/cpu.h"
#include "quintet/core/file.h"
#include "quintet/core/trace.h"
#include "quintet/eval/profile_svg.h"
#include "quintet/kernels/roofline/roofline.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using eval::Profile;
using eval::ProfileRow;
using json = nlohmann::ordered_json;

struct Flags {
  SpeechFlags speech;
  std::string input;
  int repeat = 5;
  bool layers = false;
  std::string svg;
};

// One traced transcription.
struct TracedRun {
  Transcript transcript;
  std::vector<trace::Span> spans;
};

// What all ways of printing show.
struct Report {
  const Flags& flags;
  const SpeechModel& model;
  kernels::Roofline roofline;
  TracedRun run;
  int64_t dropped = 0;

  Profile profile(bool each_layer) const {
    return eval::profile_of(
        run.spans, run.transcript.timings.total, roofline,
        {.weight_footprint_bytes = static_cast<double>(model.memory().weights()),
         .each_layer = each_layer});
  }
};

// Room for the spans of a run of about 4 s; the warm-up tells how many there are.
constexpr int64_t kFirstCapacity = int64_t{1} << 16;
// Hours of audio: 350 MB.
constexpr int64_t kMostSpans = int64_t{1} << 22;

Result<Transcript> transcribe(const SpeechModel& model, const Flags& flags,
                              trace::Recorder& recorder) {
  QT_TRY(TranscribeOptions options, transcribe_options(flags.speech));
  options.timestamps = TimestampMode::kNone;
  const SpeechInput input{.audio = std::filesystem::path(flags.input), .options = options};
  return std::move(
      model.transcribe_batch({&input, 1}, {.windows = flags.speech.batch, .trace = &recorder})
          .front());
}

// The run of the median total among `flags.repeat`, after one to warm up.
Result<TracedRun> median_run(const SpeechModel& model, const Flags& flags, const Globals& globals,
                             int64_t& dropped) {
  ProgressBar progress(globals);
  auto recorder = std::make_unique<trace::Recorder>(kFirstCapacity);
  std::vector<TracedRun> runs;
  for (int round = -1; round < flags.repeat; ++round) {
    progress.update("round", static_cast<uint64_t>(round) + 1, static_cast<uint64_t>(flags.repeat),
                    plain_count);
    QT_TRY(Transcript transcript, transcribe(model, flags, *recorder));
    const auto spans = recorder->spans();
    const int64_t wanted = std::ssize(spans) + recorder->dropped();
    dropped = std::max(int64_t{0}, wanted - kMostSpans);
    if (round >= 0) {
      runs.push_back({std::move(transcript), {spans.begin(), spans.end()}});
      recorder->clear();
    } else {
      recorder = std::make_unique<trace::Recorder>(std::min(wanted, kMostSpans));
    }
  }
  const auto middle = runs.begin() + (std::ssize(runs) - 1) / 2;
  std::nth_element(runs.begin(), middle, runs.end(), [](const TracedRun& a, const TracedRun& b) {
    return a.transcript.timings.total < b.transcript.timings.total;
  });
  return std::move(*middle);
}

json rates_json(const kernels::Rates& r) {
  return {{"int8_gops", 1e-9 * r.i8},   {"bf16_gops", 1e-9 * r.bf16},
          {"fp32_gops", 1e-9 * r.f32},  {"memory_gb_per_s", 1e-9 * r.memory},
          {"l3_gb_per_s", 1e-9 * r.l3}, {"l2_gb_per_s", 1e-9 * r.l2}};
}

json row_json(const ProfileRow& row, double total_ms) {
  const auto rate = [&](double amount) { return row.ms > 0 ? 1e-6 * amount / row.ms : 0; };
  json object = {{"stage", row.stage}};
  if (!row.name.empty()) object["operator"] = row.name;
  object.update({{"calls", row.calls},
                 {"ms", row.ms},
                 {"share", total_ms > 0 ? row.ms / total_ms : 0},
                 {"operations", row.work.operations},
                 {"weight_bytes", row.work.weight_bytes},
                 {"activation_bytes", row.work.activation_bytes},
                 {"gops", rate(row.work.operations)},
                 {"gb_per_s", rate(row.bytes())},
                 {"bound_ms", row.bound_ms},
                 {"bound_by", row.limit()},
                 {"share_of_bound", row.share_of_bound()}});
  return object;
}

json rows_json(const std::vector<ProfileRow>& rows, double total_ms) {
  json all = json::array();
  for (const ProfileRow& row : rows) all.push_back(row_json(row, total_ms));
  return all;
}

json report_json(const Report& report) {
  const Timings& timings = report.run.transcript.timings;
  const Profile profile = report.profile(false);
  json object = {{"input", report.flags.input},
                 {"repeat", report.flags.repeat},
                 {"isa", isa_name(active_isa())},
                 {"precision", precision_name(report.model.precision())},
                 {"threads", report.model.threads()},
                 {"text", report.run.transcript.text},
                 {"timings_ms", timings_json(timings)},
                 {"tokens_per_second", timings.tokens_per_second()}};
  object["roofline"] = {{"one_thread", rates_json(report.roofline.one)},
                        {"all_threads", rates_json(report.roofline.all)},
                        {"l2_bytes_per_thread", report.roofline.l2_bytes},
                        {"l3_bytes", report.roofline.l3_bytes},
                        {"stream_bytes", report.roofline.stream_bytes}};
  object["spans"] = report.run.spans.size();
  object["spans_dropped"] = report.dropped;
  object["stages"] = rows_json(profile.stages(), profile.total_ms);
  object["rows"] = rows_json(profile.rows, profile.total_ms);
  object["layers"] = rows_json(report.profile(true).rows, profile.total_ms);
  return object;
}

std::string describe(const Report& report) {
  const Transcript& t = report.run.transcript;
  char text[256];
  std::snprintf(
      text, sizeof text, "%.1f s of audio, %s%s, %d threads, %s, %.1f ms (median of %d, warm)",
      t.duration_seconds, report.model.baseline() ? "baseline " : "",
      std::string(precision_name(report.model.precision())).c_str(), report.model.threads(),
      std::string(isa_name(active_isa())).c_str(), t.timings.total, report.flags.repeat);
  return text;
}

void print_roofline(const kernels::Roofline& roofline) {
  using kernels::Rates;
  struct Line {
    const char* name;
    double Rates::*rate;
    const char* unit;
  };
  std::printf("%-28s %10s %7d thr.\n", "roofline, measured now", "1 thread", roofline.threads);
  for (const Line& line :
       {Line{"int8 dot product", &Rates::i8, "Gop/s"},
        Line{"bfloat16 dot product", &Rates::bf16, "Gop/s"},
        Line{"float32 multiply-add", &Rates::f32, "Gop/s"},
        Line{"memory, read", &Rates::memory, "GB/s"}, Line{"L3, read", &Rates::l3, "GB/s"},
        Line{"L2, read", &Rates::l2, "GB/s"}}) {
    std::printf("  %-26s %10.1f %12.1f %s\n", line.name, 1e-9 * (roofline.one.*line.rate),
                1e-9 * (roofline.all.*line.rate), line.unit);
  }
}

void print_row(const ProfileRow& row, double total_ms) {
  const std::string calls = row.calls > 0 ? std::to_string(row.calls) : "";
  std::printf("%-11s %-42s %6s %9.2f %5.1f %%", row.stage.c_str(), row.name.c_str(), calls.c_str(),
              row.ms, 100 * row.ms / total_ms);
  if (row.bound_ms > 0) {
    std::printf(" %9.3f %9.2f %8.1f %7.1f  %-9s %5.0f %%", 1e-9 * row.work.operations,
                1e-6 * row.bytes(), 1e-6 * row.work.operations / row.ms,
                1e-6 * row.bytes() / row.ms, row.limit(), 100 * row.share_of_bound());
  }
  std::printf("\n");
}

void print_table(const Profile& profile) {
  std::printf("%-11s %-42s %6s %9s %7s %9s %9s %8s %7s  %-9s %7s\n", "stage", "operator", "calls",
              "ms", "share", "Gop", "MB", "Gop/s", "GB/s", "limit", "of it");
  for (const ProfileRow& row : profile.rows) print_row(row, profile.total_ms);
  std::printf("\n");
  for (const ProfileRow& row : profile.stages()) print_row(row, profile.total_ms);
  ProfileRow total{.stage = "total", .ms = profile.total_ms};
  print_row(total, profile.total_ms);
  std::printf(
      "Operations and bytes follow from the shapes; softmax and copies are not counted.\n"
      "Limit: what takes longer at the rates above, the operations or the bytes; of it: the share "
      "that was reached.\n");
}

Result<void> write_svg(const Report& report) {
  const kernels::Rates& r = report.roofline.all;
  char peaks[256];
  std::snprintf(
      peaks, sizeof peaks,
      "roofline of %d threads: int8 %.0f, bfloat16 %.0f, float32 %.0f Gop/s; memory %.0f, "
      "L3 %.0f, L2 %.0f GB/s",
      report.roofline.threads, 1e-9 * r.i8, 1e-9 * r.bf16, 1e-9 * r.f32, 1e-9 * r.memory,
      1e-9 * r.l3, 1e-9 * r.l2);
  const auto name = [](const std::filesystem::path& path) {
    return (path.has_filename() ? path : path.parent_path()).filename().string();
  };
  return write_file_atomically(
      report.flags.svg,
      eval::profile_svg(report.profile(report.flags.layers),
                        {.title = name(report.flags.speech.model) + ", " + name(report.flags.input),
                         .lines = {describe(report), peaks}}));
}

Result<Report> measure(const Flags& flags, const Globals& globals, const SpeechModel& model) {
  Report report{flags, model, {}, {}, 0};
  ThreadPool pool(model.threads());
  report.roofline = kernels::measure_roofline(pool);
  QT_TRY(report.run, median_run(model, flags, globals, report.dropped));
  return report;
}

// Before anything is measured: whether the folder of the picture is there.
Result<void> check_svg_folder(const std::filesystem::path& svg) {
  const auto folder = svg.has_parent_path() ? svg.parent_path() : std::filesystem::path(".");
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return {};
  return Error(Code::kNotFound, "--svg: the folder " + folder.string() + " does not exist");
}

int run(const Flags& flags, const Globals& globals) {
  if (const auto folder = check_svg_folder(flags.svg); !folder) return fail(folder.error());
  const auto model = load_speech_model(flags.speech, globals);
  if (!model) return fail(model.error());
  const auto report = measure(flags, globals, *model);
  if (!report) return fail(report.error());
  if (!flags.svg.empty()) {
    if (const auto written = write_svg(*report); !written) return fail(written.error());
  }
  if (globals.json) {
    std::cout << report_json(*report).dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    return 0;
  }
  std::printf("%s: %s\n", flags.input.c_str(), describe(*report).c_str());
  print_roofline(report->roofline);
  print_table(report->profile(flags.layers));
  if (report->dropped > 0) {
    std::printf("%lld spans found no room and are not traced: profile a shorter recording\n",
                static_cast<long long>(report->dropped));
  }
  return 0;
}

}  // namespace

void add_profile_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand(
      "profile", "Time, operations, bytes and share of the machine's peak of each operator");
  const auto flags = std::make_shared<Flags>();
  add_speech_flags(*command, flags->speech);
  command->add_option("--input", flags->input, "Audio file")->required();
  command->add_option("--repeat", flags->repeat, "Timed runs after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--layers", flags->layers, "Each layer on its own");
  command->add_option("--svg", flags->svg, "Also draw it into this file");
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
