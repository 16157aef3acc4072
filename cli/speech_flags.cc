#include "cli/speech_flags.h"

#include <cstdio>

#include "cli/output.h"

namespace quintet::cli {
namespace {

constexpr const char* kVoiceActivity = "silero-vad";

}  // namespace

void add_speech_flags(CLI::App& command, SpeechFlags& flags) {
  command.add_option("--model", flags.model, "Installed model, folder or packed file")->required();
  command.add_flag("--baseline", flags.baseline,
                   "The yardstick: float32, one operator at a time, full padding");
  command.add_option("--language", flags.language, "Language of the speech; detected without it");
  command.add_option("--task", flags.task, "transcribe, or translate into English")
      ->capture_default_str();
  command.add_option("--beams", flags.beams, "Width of the beam search; 1: greedy")
      ->capture_default_str();
  command.add_flag("--full-length", flags.full_length,
                   "Encode 30 s for every window, however short the audio");
  command.add_flag("--vad", flags.vad,
                   "Cut long audio at silences, into windows that are decoded together");
  command.add_option("--batch", flags.batch, "Windows that are decoded at a time, 1 to 64")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

Result<SpeechModel> load_speech_model(const SpeechFlags& flags, const Globals& globals) {
  LoadOptions options{.threads = globals.threads, .baseline = flags.baseline};
  if (flags.vad) options.voice_activity = kVoiceActivity;
  QT_TRY(options.precision, parse_precision(globals.precision));
  QT_TRY(SpeechModel model, SpeechModel::load(flags.model, options));
  // To people only: whoever reads stderr in a program expects errors there, a line each.
  if (model.precision_unmeasured() && shows_progress(globals)) {
    std::fprintf(stderr,
                 "quintet: %s: auto is bf16, since no accuracy check of these weights is known; "
                 "convert --calibrate checks int8 on your recordings\n",
                 flags.model.c_str());
  }
  return model;
}

Result<TranscribeOptions> transcribe_options(const SpeechFlags& flags) {
  TranscribeOptions options;
  options.language = flags.language;
  options.beams = flags.beams;
  options.exact_length = !flags.full_length;
  if (flags.vad) options.cut = Cut::kSilences;
  if (flags.task == "translate") {
    options.task = Task::kTranslate;
  } else if (flags.task != "transcribe") {
    return Error(Code::kInvalidArgument,
                 "--task \"" + flags.task + "\" is unknown; use transcribe or translate");
  }
  return options;
}

}  // namespace quintet::cli
