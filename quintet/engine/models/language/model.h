// A loaded language model, and the working memory that running it needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/language/config.h"
#include "quintet/engine/models/language/decoder.h"
#include "quintet/engine/models/language/weights.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/weights/packed_model.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::language {

// Threads: immutable after loading.
struct Model {
  Config config;
  GenerationConfig generation;
  weights::PackedModel packed;
  Weights weights;
  std::optional<io::BpeTokenizer> tokenizer;  // Random test models have none.
  std::string chat_template;                  // Empty: none.
  std::string source_format;                  // "safetensors", "gguf" or "packed".
  uint64_t original_bytes = 0;                // Size of the published weights.

  uint64_t weight_bytes() const;  // In memory, packed.
};

// What "auto" means for published weights: about what the publisher has chosen. Where most of them
// are 4-bit blocks they stay so (int4), where most are blocks of more bits they become int8; floats
// become bfloat16, since nobody has measured what they lose below it.
Precision automatic_precision(const io::WeightFile& source);

// Loads a Hugging Face folder, a GGUF file or a packed .qnt file.
// `precision`: unset means the one of a packed file, automatic_precision otherwise.
// Errors name the file: kNotFound, kIo, kCorrupt, kUnsupported; kInvalidArgument where a packed
// file holds another precision than asked for.
Result<std::unique_ptr<Model>> load_model(const std::filesystem::path& path,
                                          std::optional<Precision> precision, ThreadPool& pool);

// Writes the model as one packed file.
Result<void> save_packed(const Model& model, const std::filesystem::path& file);

struct SessionOptions {
  bool baseline = false;                                   // One float32 operator at a time.
  std::optional<kernels::WeightFormat> cache_format = {};  // Unset: that of the precision.
  size_t max_cache_bytes = size_t{4} << 30;
  bool reuse_prefixes = true;
};

// Working memory. The model must outlive it. Threads: one at a time.
class Session {
 public:
  Session(const Model& model, ThreadPool& pool, const SessionOptions& options = {});

  nn::Runtime& runtime() { return runtime_; }
  Decoder& decoder() { return decoder_; }
  size_t activation_bytes() const { return scratch_.bytes() + decoder_.activation_bytes(); }
  size_t cache_bytes() const { return decoder_.cache().bytes(); }

 private:
  nn::InputScratch scratch_;
  nn::Runtime runtime_;
  Decoder decoder_;
};

}  // namespace quintet::language
