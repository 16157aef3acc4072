// `bench` of language models.
#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"
#include "cli/text_flags.h"

namespace quintet::cli {

struct TextBenchFlags {
  ModelFlags model;
  std::string input;    // Text whose tokens are the prompts; empty: random tokens.
  std::string compare;  // Settings that take turns.
  int repeat = 7;
  int64_t prompt_tokens = 0;
  int64_t new_tokens = 64;
  int64_t sequences = 1;
  bool lookup = false;
};

int run_text_bench(const TextBenchFlags& flags, const Globals& globals);

}  // namespace quintet::cli
