// Options that every command on speech shares.
#pragma once

#include <string>

#include "cli/command.h"
#include "quintet/quintet.h"

namespace quintet::cli {

struct SpeechFlags {
  std::string model;
  bool baseline = false;
  std::string language;
  std::string task = "transcribe";
  int beams = 1;
  bool full_length = false;
  bool vad = false;
  int batch = BatchOptions{}.windows;
};

// --model, --baseline, --language, --task, --beams, --full-length, --vad, --batch.
void add_speech_flags(CLI::App& command, SpeechFlags& flags);

Result<SpeechModel> load_speech_model(const SpeechFlags& flags, const Globals& globals);

// Language, task, beams, length and cuts; the rest are defaults. Errors: kInvalidArgument for the
// task.
Result<TranscribeOptions> transcribe_options(const SpeechFlags& flags);

}  // namespace quintet::cli
