// `eval` of language models: perplexity, and agreement with another precision.
#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"
#include "cli/text_flags.h"

namespace quintet::cli {

struct TextEvalFlags {
  ModelFlags model;
  std::string data;     // A text file.
  std::string against;  // A precision, or another model; empty: none.
  int64_t window = 512;
  int64_t windows = 0;
};

int run_text_eval(const TextEvalFlags& flags, const Globals& globals);

}  // namespace quintet::cli
