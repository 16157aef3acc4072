#include "quintet/engine/speech/vocabulary.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace quintet::speech {
namespace {

constexpr auto kLanguages = std::to_array<std::pair<std::string_view, std::string_view>>({
#define QT_LANGUAGE(code, name) {code, name},
#include "quintet/engine/speech/languages.inc"
#undef QT_LANGUAGE
});

Result<int32_t> required(const io::BpeTokenizer& tokenizer, std::string_view content) {
  const auto id = tokenizer.token_id(content);
  if (!id) {
    return Error(Code::kCorrupt, "tokenizer.json lacks the token " + std::string(content) +
                                     ", which speech models need");
  }
  return *id;
}

// Whether some token below `end` stands for text.
bool has_text(const io::BpeTokenizer& tokenizer, int32_t end) {
  for (int32_t token = 0; token < end; ++token) {
    if (!tokenizer.is_special(token) && !tokenizer.token_bytes(token).empty()) return true;
  }
  return false;
}

}  // namespace

std::string_view language_name(std::string_view code) {
  for (const auto& [known, name] : kLanguages) {
    if (known == code) return name;
  }
  return code;
}

Result<Vocabulary> Vocabulary::from(const io::BpeTokenizer& tokenizer,
                                    const whisper::GenerationConfig& generation) {
  Vocabulary v;
  QT_TRY(v.end_of_text, required(tokenizer, "<|endoftext|>"));
  QT_TRY(v.start, required(tokenizer, "<|startoftranscript|>"));
  QT_TRY(v.transcribe, required(tokenizer, "<|transcribe|>"));
  QT_TRY(v.translate, required(tokenizer, "<|translate|>"));
  QT_TRY(v.previous, required(tokenizer, "<|startofprev|>"));
  QT_TRY(v.no_timestamps, required(tokenizer, "<|notimestamps|>"));
  if (v.end_of_text >= v.start || v.start >= v.no_timestamps) {
    return Error(Code::kCorrupt,
                 "tokenizer.json must have <|endoftext|>, <|startoftranscript|> and "
                 "<|notimestamps|> in this order behind the text tokens");
  }
  // Its name changed between tokenizers ("<|nocaptions|>", "<|nospeech|>"), its place did not.
  v.no_speech = v.no_timestamps - 1;
  v.first_timestamp = v.no_timestamps + 1;
  if (v.no_speech < 0 || !has_text(tokenizer, v.end_of_text)) {
    return Error(Code::kCorrupt,
                 "tokenizer.json has its special tokens where text should be; speech models have "
                 "text first, then <|endoftext|>, then the others");
  }
  // The English-only vocabulary has one merge less: everything behind it moves down by one.
  constexpr int32_t kMultilingualEndOfText = 50257;
  v.multilingual = generation.multilingual.value_or(v.end_of_text >= kMultilingualEndOfText);
  if (v.multilingual) {
    for (const auto& [code, name] : kLanguages) {
      const auto id = tokenizer.token_id("<|" + std::string(code) + "|>");
      if (id) v.languages.push_back({std::string(code), *id});
    }
    if (v.languages.empty()) {
      return Error(Code::kCorrupt, "tokenizer.json has no language tokens such as <|en|>");
    }
  }
  return v;
}

Result<Language> Vocabulary::language(std::string_view code_or_name) const {
  std::string wanted(code_or_name);
  std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!multilingual) {
    if (wanted == "en" || wanted == "english") return Language{"en", -1};
    return Error(Code::kInvalidArgument,
                 "language \"" + std::string(code_or_name) + "\": the model knows English only");
  }
  for (const Language& known : languages) {
    if (wanted == known.code || wanted == language_name(known.code)) return known;
  }
  return Error(Code::kInvalidArgument, "language \"" + std::string(code_or_name) +
                                           "\" is unknown; use a code such as en, de or zh, or "
                                           "leave it out to have it detected");
}

}  // namespace quintet::speech
