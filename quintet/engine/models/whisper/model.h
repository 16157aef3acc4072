// A loaded Whisper model, and the working memory that decoding with it needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/accuracy_check.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/decoder.h"
#include "quintet/engine/models/whisper/encoder.h"
#include "quintet/engine/models/whisper/weights.h"
#include "quintet/engine/precision.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::whisper {

// Threads: immutable after loading.
struct Model {
  Config config;
  GenerationConfig generation;
  PackedModel packed;
  Weights weights;
  std::optional<io::BpeTokenizer> tokenizer;  // Random test models have none.
  std::string source_format;                  // "ct2", "safetensors" or "packed".
  uint64_t original_bytes = 0;                // Size of the published weights.

  std::optional<AccuracyCheck> accuracy_check;  // Of these weights as they are packed here.
  bool precision_unmeasured = false;            // It was to be automatic, and no check is known.
  nn::LinearObserver* observer = nullptr;       // Of sessions without fusion.

  uint64_t weight_bytes() const;  // In memory, packed.
};

// Loads a folder (Hugging Face, CTranslate2 or Quintet) or a packed .qnt file.
// `precision`: unset means the one of a packed file, that of automatic_precision otherwise.
// Errors name the file: kNotFound, kIo, kCorrupt, kUnsupported; kInvalidArgument where a packed
// file holds another precision than asked for.
Result<std::unique_ptr<Model>> load_model(const std::filesystem::path& path,
                                          std::optional<Precision> precision, ThreadPool& pool);
// The published model at `path`, packed as `plan` says (pack_model); `precision` is the name of the
// whole.
// Errors: as above; kUnsupported where the file is packed already.
Result<std::unique_ptr<Model>> load_published_model(const std::filesystem::path& path,
                                                    Precision precision, Plan plan,
                                                    ThreadPool& pool);

// What a published model's files say beside its weights.
struct Description {
  Config config;
  GenerationConfig generation;
  std::string tokenizer_json;  // Empty: none.
};

// The description of the model in `folder` whose weights are `source`.
Result<Description> read_description(const io::WeightFile& source,
                                     const std::filesystem::path& folder);

// Writes the model as one packed file.
Result<void> save_packed(const Model& model, const std::filesystem::path& file);

// Writes the published weights at `source` as a Hugging Face folder: model.safetensors in float32
// or float16, config.json, generation_config.json and tokenizer.json.
Result<void> export_hugging_face(const std::filesystem::path& source,
                                 const std::filesystem::path& folder, DType dtype);

// Working memory: of one window while it is encoded, of any number while they are decoded. The
// model must outlive it. Threads: one at a time.
class Session {
 public:
  // `baseline`: one float32 operator at a time.
  Session(const Model& model, ThreadPool& pool, bool baseline);

  nn::Runtime& runtime() { return runtime_; }
  EncoderState& encoder() { return encoder_; }
  Decoder& decoder() { return decoder_; }

  // Encodes `frames` frames of encoder().mel() and hands the result to the decoder. The session
  // must outlive what comes back.
  EncodedWindow encode(int64_t frames);

  size_t activation_bytes() const;
  size_t cache_bytes() const { return decoder_.cache_bytes(); }

 private:
  const Model& model_;
  nn::InputScratch scratch_;
  nn::Runtime runtime_;
  EncoderState encoder_;
  Decoder decoder_;
};

}  // namespace quintet::whisper
