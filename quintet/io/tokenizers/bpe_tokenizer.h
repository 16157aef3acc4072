// Byte-level byte-pair encoding, as GPT-2, Whisper, Llama 3, Qwen and SmolLM use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/tokenizers/bpe_definition.h"
#include "quintet/io/tokenizers/bpe_tables.h"

namespace quintet::io {

enum class SpecialTokens { kKeep, kSkip };

// Threads: const methods are safe concurrently. Copies are cheap: they share the tables.
class BpeTokenizer {
 public:
  // From the content of a Hugging Face tokenizer.json; `name` is the file in messages.
  // Errors: kCorrupt where the file contradicts itself; kUnsupported, naming the part, where it is
  // no byte-level BPE or asks for something else that is not known here; kExhausted past the limits
  // (64 MiB, 1,048,576 ids).
  static Result<BpeTokenizer> parse(std::string_view json, std::string_view name);
  static Result<BpeTokenizer> load(const std::filesystem::path& path);
  // Errors: as for parse.
  static Result<BpeTokenizer> build(const BpeDefinition& definition, std::string_view name);
  // Over tables that were built or mapped. Errors: kUnsupported where a pattern does not compile.
  static Result<BpeTokenizer> open(BpeTables tables);

  // The tokens of `text`. Added tokens are recognised where the text has them literally; nothing
  // is put before or behind (no post-processor). Any bytes will do: what is not valid UTF-8
  // becomes the tokens of its bytes. Words beyond 1 MiB are cut there.
  std::vector<int32_t> encode(std::string_view text) const;

  // The bytes of the tokens, joined. Unknown ids are skipped. The end may be a part of a character.
  std::string decode(std::span<const int32_t> ids,
                     SpecialTokens specials = SpecialTokens::kSkip) const;

  // The bytes of one token, possibly a part of a UTF-8 character; empty for unknown ids.
  std::string_view token_bytes(int32_t id) const;

  // The token with exactly these bytes, e.g. "<|en|>" or " the".
  std::optional<int32_t> token_id(std::string_view content) const;

  bool is_special(int32_t id) const;

  // The largest id + 1.
  int64_t size() const;

  // What it works on, for writing to a packed file.
  const BpeTables& tables() const;

 private:
  struct Impl;
  explicit BpeTokenizer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quintet::io
