// The tokens that steer a speech model, found by their text in its tokenizer: the layouts of v1,
// v2, v3 and the English-only models differ in numbers only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::speech {

inline constexpr double kTimestampStepSeconds = 0.02;  // From one timestamp to the next.

struct Language {
  std::string code;  // "en"
  int32_t token;
};

// English name of a language code ("english"); the code itself where there is none.
std::string_view language_name(std::string_view code);

struct Vocabulary {
  int32_t end_of_text = 0;
  int32_t start = 0;  // <|startoftranscript|>
  int32_t transcribe = 0;
  int32_t translate = 0;
  int32_t previous = 0;  // <|startofprev|>
  int32_t no_speech = 0;
  int32_t no_timestamps = 0;
  int32_t first_timestamp = 0;  // <|0.00|>: the token after <|notimestamps|>
  bool multilingual = true;
  std::vector<Language> languages;  // Empty for English-only models.

  // Errors: kCorrupt where the tokenizer lacks a token.
  static Result<Vocabulary> from(const io::BpeTokenizer& tokenizer,
                                 const whisper::GenerationConfig& generation);

  // Errors: kInvalidArgument for a language that the model does not have, by code or English name.
  Result<Language> language(std::string_view code_or_name) const;

  bool is_timestamp(int32_t token) const { return token >= first_timestamp; }
  bool is_text(int32_t token) const { return token < end_of_text; }
  double seconds(int32_t timestamp) const {
    return kTimestampStepSeconds * (timestamp - first_timestamp);
  }
};

}  // namespace quintet::speech
