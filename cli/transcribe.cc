#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/speech_flags.h"
#include "quintet/core/file.h"
#include "quintet/quintet.h"

namespace quintet::cli {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Flags {
  SpeechFlags speech;
  std::vector<std::string> files;
  std::string format = "text";
  std::string output;  // Folder for the results; empty: stdout.
  std::string prompt;
  bool words = false;
  bool condition_on_previous = false;
  std::vector<float> temperatures;
};

// Standard input is read whole: audio formats need to seek. 4 GiB hold 37 hours of 16 kHz speech.
constexpr size_t kMaxStdinBytes = size_t{4} << 30;

Result<std::string> read_stdin() {
  std::string bytes;
  std::vector<char> chunk(size_t{1} << 20);
  while (std::cin) {
    std::cin.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    bytes.append(chunk.data(), static_cast<size_t>(std::cin.gcount()));
    if (bytes.size() > kMaxStdinBytes) {
      return Error(Code::kExhausted, "standard input: more than 4 GiB");
    }
  }
  return bytes;
}

json result_json(const std::string& file, const Transcript& t, bool verbose, Task task) {
  json object = {{"file", file}, {"language", nullptr}};
  object["duration"] = std::round(t.duration_seconds * 1000) / 1000;
  // The verbose form has the segments under the same names as --format verbose_json.
  object.update(json::parse(format_transcript(
      t, verbose ? TranscriptFormat::kVerboseJson : TranscriptFormat::kJson, task)));
  object["language"] = t.language;
  object["timings_ms"] = timings_json(t.timings);
  object["tokens_per_second"] = std::round(t.timings.tokens_per_second() * 10) / 10;
  return object;
}

const char* extension(TranscriptFormat format) {
  switch (format) {
    case TranscriptFormat::kText: return ".txt";
    case TranscriptFormat::kSrt: return ".srt";
    case TranscriptFormat::kVtt: return ".vtt";
    default: return ".json";
  }
}

fs::path result_path(const Flags& flags, const std::string& file, TranscriptFormat format) {
  const std::string stem = file == "-" ? "stdin" : fs::path(file).filename().string();
  return fs::path(flags.output) / (stem + extension(format));
}

Result<void> write_result(const Flags& flags, const std::string& file, const Transcript& transcript,
                          TranscriptFormat format, Task task) {
  const std::string text = format_transcript(transcript, format, task);
  if (flags.output.empty()) {
    if (flags.files.size() > 1 && format == TranscriptFormat::kText) std::cout << file << ": ";
    std::cout << text << std::flush;
    return {};
  }
  std::error_code error;
  fs::create_directories(flags.output, error);
  if (error) {
    return Error(Code::kIo, flags.output + ": cannot be made: " + error.message());
  }
  return write_file_atomically(result_path(flags, file, format), text);
}

// Nothing may be lost: no two inputs may have one result file.
Result<void> check_output(const Flags& flags, TranscriptFormat format) {
  if (flags.output.empty()) return {};
  std::map<fs::path, std::string> sources;
  for (const std::string& file : flags.files) {
    const fs::path path = result_path(flags, file, format);
    const auto [other, added] = sources.emplace(path, file);
    if (!added) {
      return Error(Code::kInvalidArgument, "--output: " + other->second + " and " + file +
                                               " would both be written to " + path.string());
    }
  }
  return {};
}

Result<TranscribeOptions> make_options(const Flags& flags, TranscriptFormat format) {
  if (flags.speech.vad && flags.condition_on_previous) {
    return Error(
        Code::kInvalidArgument,
        "--condition-on-previous: windows of --vad are decoded together and cannot continue "
        "each other; leave out one of the two");
  }
  QT_TRY(TranscribeOptions options, transcribe_options(flags.speech));
  options.timestamps = flags.words                ? TimestampMode::kWords
                       : shows_timestamps(format) ? TimestampMode::kSegments
                                                  : TimestampMode::kNone;
  options.initial_prompt = flags.prompt;
  options.condition_on_previous = flags.condition_on_previous;
  if (!flags.temperatures.empty()) options.temperatures = flags.temperatures;
  return options;
}

// The files as inputs; standard input, where it is among them, is read into `memory`. Named again,
// it is at its end.
Result<std::vector<SpeechInput>> make_inputs(const Flags& flags, const TranscribeOptions& options,
                                             std::string& memory) {
  if (std::count(flags.files.begin(), flags.files.end(), "-") > 0) {
    QT_TRY(memory, read_stdin());
  }
  auto unread = std::as_bytes(std::span(memory));
  std::vector<SpeechInput> inputs;
  for (const std::string& file : flags.files) {
    AudioInput audio = fs::path(file);
    if (file == "-") audio = AudioBytes{std::exchange(unread, {}), "standard input"};
    inputs.push_back({.audio = std::move(audio), .options = options});
  }
  return inputs;
}

// Writes results as they come.
class Output {
 public:
  Output(const Flags& flags, const Globals& globals, TranscriptFormat format, Task task)
      : flags_(flags), json_(globals.json), format_(format), task_(task) {}

  void add(const std::string& file, const Result<Transcript>& transcript) {
    Result<void> written;
    if (transcript && (!json_ || !flags_.output.empty())) {
      written = write_result(flags_, file, *transcript, format_, task_);
    }
    if (!transcript || !written) {
      const Error& error = transcript ? written.error() : transcript.error();
      exit_code_ = std::max(exit_code_, fail(error));
      results_.push_back({{"file", file}, {"error", error.message()}});
    } else if (json_) {
      results_.push_back(
          result_json(file, *transcript, flags_.words || shows_timestamps(format_), task_));
    }
  }

  int finish() {
    if (json_) {
      const json out = results_.size() == 1 ? results_[0] : json{{"results", std::move(results_)}};
      std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    }
    return exit_code_;
  }

 private:
  const Flags& flags_;
  bool json_;
  TranscriptFormat format_;
  Task task_;
  json results_ = json::array();
  int exit_code_ = 0;
};

// Transcribes every file; one that fails does not stop the others.
int run(const Flags& flags, const Globals& globals) {
  const auto format = parse_transcript_format(flags.format);
  if (!format) return fail(format.error());
  auto options = make_options(flags, *format);
  if (!options) return fail(options.error());
  if (const auto checked = check_output(flags, *format); !checked) {
    return fail(checked.error());
  }
  const auto model = load_speech_model(flags.speech, globals);
  if (!model) return fail(model.error());
  if (const auto checked = model->check(*options); !checked) return fail(checked.error());

  ProgressBar progress(globals);
  size_t done_files = 0;
  options->on_progress = [&](double done, double total) {
    if (flags.files.size() > 1) {
      progress.update("files", done_files, flags.files.size(), plain_count);
    } else {
      progress.update(flags.files[0], static_cast<uint64_t>(done),
                      static_cast<uint64_t>(std::ceil(total)), seconds);
    }
  };
  std::string memory;
  const auto inputs = make_inputs(flags, *options, memory);
  if (!inputs) return fail(inputs.error());
  Output output(flags, globals, *format, options->task);
  BatchOptions batch{.windows = flags.speech.batch};
  batch.on_result = [&](size_t i, const Result<Transcript>& transcript) {
    progress.clear();
    output.add(flags.files[i], transcript);
    ++done_files;
  };
  model->transcribe_batch(*inputs, batch);
  return output.finish();
}

}  // namespace

void add_transcribe_command(CLI::App& app, Globals& globals, Action& action) {
  auto* command = app.add_subcommand("transcribe", "Speech to text");
  const auto flags = std::make_shared<Flags>();
  add_speech_flags(*command, flags->speech);
  command->add_option("FILE", flags->files, "Audio files; - for standard input")->required();
  command->add_option("--format", flags->format, "text, json, srt, vtt or verbose_json")
      ->capture_default_str();
  command->add_option("--output", flags->output,
                      "Folder for one result file per input; stdout without it");
  command->add_option("--prompt", flags->prompt, "Text that the audio is taken to continue");
  command->add_flag("--word-timestamps", flags->words, "Times of words too (verbose_json)");
  command->add_flag("--condition-on-previous", flags->condition_on_previous,
                    "Each window continues the text of those before");
  command->add_option("--temperature", flags->temperatures,
                      "Temperatures to try in turn (default: 0 0.2 0.4 0.6 0.8 1)");
  command->callback(
      [flags, &globals, &action] { action = [flags, &globals] { return run(*flags, globals); }; });
}

}  // namespace quintet::cli
