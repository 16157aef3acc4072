// Byte-pair encoding: over bytes, as GPT-2, Whisper, Llama 3, Qwen and SmolLM use it, and over
// characters with byte fall-back, as SentencePiece makes it for Llama 2, Mistral, Phi-3 and Gemma.
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
// Whether encoding puts the tokens around the text that the post-processor names (such as <s>).
enum class AddSpecial { kNo, kYes };

// Threads: const methods are safe concurrently. Copies are cheap: they share the tables.
class BpeTokenizer {
 public:
  // From the content of a Hugging Face tokenizer.json; `name` is the file in messages.
  // Errors: kCorrupt where the file contradicts itself; kUnsupported, naming the part, where it is
  // no BPE or asks for something else that is not known here; kExhausted past the limits (64 MiB,
  // 1,048,576 ids).
  static Result<BpeTokenizer> parse(std::string_view json, std::string_view name);
  static Result<BpeTokenizer> load(const std::filesystem::path& path);
  // Errors: as for parse.
  static Result<BpeTokenizer> build(const BpeDefinition& definition, std::string_view name);
  // Over tables that were built or mapped. Errors: kUnsupported where a pattern does not compile.
  static Result<BpeTokenizer> open(BpeTables tables);

  // The tokens of `text`. Added tokens are recognised where the text has them literally. Any bytes
  // will do: what is not valid UTF-8 becomes the tokens of its bytes. Words beyond 1 MiB are cut
  // there.
  // Numerics: equals Hugging Face tokenizers on valid UTF-8 (tools/compare_tokenizers.py).
  std::vector<int32_t> encode(std::string_view text, AddSpecial add = AddSpecial::kNo) const;

  // The text of the tokens, as the decoder has it. Unknown ids are skipped. What the tokens have
  // that is not UTF-8 stays as it is, and the end may be a part of a character; StreamDecoder gives
  // whole characters only.
  std::string decode(std::span<const int32_t> ids,
                     SpecialTokens specials = SpecialTokens::kSkip) const;

  // The token in the vocabulary: in byte-level BPE the bytes that it stands for, possibly a part of
  // a character; otherwise as it is written there ("\u2581the", "<0x0A>"). Empty for unknown ids.
  std::string_view token_bytes(int32_t id) const;

  // The token with exactly these token_bytes, e.g. "<|en|>" or " the".
  std::optional<int32_t> token_id(std::string_view content) const;

  // Whether a token has this id.
  bool knows(int32_t id) const;
  bool is_special(int32_t id) const;

  // The largest id + 1.
  int64_t size() const;

  // What it works on, for writing to a packed file.
  const BpeTables& tables() const;

  // Lives as long as this tokenizer or a copy of it.
  const TokenDecoder& decoder() const;

 private:
  struct Impl;
  explicit BpeTokenizer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quintet::io
