// Text in, text out: load a language model once, ask it many times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/text/generation.h"

namespace quintet {

struct TextLoadOptions {
  // Unset: that of a packed file, otherwise what suits the published weights: int4 or int8 where a
  // GGUF file has most of them in blocks, else bf16.
  std::optional<Precision> precision = {};
  int threads = 0;        // 0: as many as the process may use.
  bool baseline = false;  // The yardstick: float32, one operator at a time.
  // Precision of keys and values, "fp32", "bf16" or "int8"; empty: as the weights.
  std::string cache = {};
  uint64_t max_cache_bytes = uint64_t{2} << 30;  // What keys and values may take.
  bool reuse_prefixes = true;                    // Keep them for prompts that begin alike.
};

struct TextMemoryUse {
  uint64_t weights = 0;
  uint64_t activations = 0;
  uint64_t cache = 0;  // Keys and values, kept ones too.
  uint64_t original_weights = 0;
};

// Threads: calls from several threads take turns; generate_batch is the way to run requests
// together.
class TextModel {
 public:
  // The name of an installed model ("smollm2-135m") or a path: a Hugging Face folder, a GGUF file
  // or a packed .qnt file.
  // Errors: kNotFound, kIo, kCorrupt, kUnsupported, kInvalidArgument; all name the file.
  static Result<TextModel> load(const std::string& name_or_path,
                                const TextLoadOptions& options = {});
  TextModel(TextModel&&) noexcept;
  TextModel& operator=(TextModel&&) noexcept;
  ~TextModel();

  // The tokens of a text, with those that the tokenizer puts around it.
  // Errors: kUnsupported where the model has no tokenizer.
  Result<std::vector<int32_t>> encode(std::string_view text) const;
  // The tokens of a conversation, in the model's chat template, up to where the answer begins.
  // Errors also: kUnsupported where the model has no chat template; those of rendering it.
  Result<std::vector<int32_t>> chat_prompt(std::span<const ChatMessage> messages) const;
  std::string decode(std::span<const int32_t> tokens) const;

  // Results stand in the order of the requests, each with its own error.
  std::vector<Result<Generation>> generate_batch(std::span<const GenerateRequest> requests) const;
  Result<Generation> generate(const GenerateRequest& request) const;

  // Runs `tokens` and shows the logits behind each of them from number `first` on: what the model
  // expects at position i + 1. Shapes: logits [V].
  // Errors: kInvalidArgument for tokens that it does not have, kExhausted for too many.
  using SeeLogits = std::function<void(int64_t position, std::span<float> logits)>;
  Result<void> run(std::span<const int32_t> tokens, int64_t first, const SeeLogits& see) const;

  bool has_chat_template() const;
  std::string token_text(int32_t token) const;
  int32_t begin_token() const;  // -1: none.
  std::span<const int32_t> end_tokens() const;
  int64_t vocabulary() const;
  int64_t context() const;  // Longest sequence.
  Precision precision() const;
  int threads() const;
  double load_milliseconds() const;
  TextMemoryUse memory() const;
  // Forgets what is kept of earlier prompts.
  void forget_prefixes() const;
  // Writes what is kept to a file, by way of a temporary one. Errors: kNotFound, kIo.
  Result<void> save_prefixes(const std::filesystem::path& file) const;
  // Keeps what stands in such a file, as far as max_cache_bytes allow; gives its tokens.
  // Errors, all naming the file: kNotFound, kIo, kCorrupt; kUnsupported for another version;
  // kInvalidArgument where another model, precision or instruction set made it.
  Result<int64_t> load_prefixes(const std::filesystem::path& file) const;

 private:
  struct Impl;
  explicit TextModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quintet
