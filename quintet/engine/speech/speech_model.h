// Speech to text: load once, transcribe many times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/precision.h"
#include "quintet/engine/speech/transcript.h"

namespace quintet {

struct LoadOptions {
  // Unset: that of a packed file; otherwise int8, whose word error rate stays within a point of
  // float32 (docs/performance.md).
  std::optional<Precision> precision = {};
  int threads = 0;        // 0: as many as the process may use.
  bool baseline = false;  // The yardstick: float32, one operator at a time, full padding.
};

// What a model occupies, in bytes.
struct MemoryUse {
  uint64_t encoder_weights = 0;
  uint64_t decoder_weights = 0;    // Without the embedding.
  uint64_t embedding_weights = 0;  // Also the output head.
  uint64_t activations = 0;        // Of the sessions made so far.
  uint64_t caches = 0;             // Keys and values, room for all sequences.
  uint64_t original_weights = 0;   // The published file.

  uint64_t weights() const { return encoder_weights + decoder_weights + embedding_weights; }
};

// Threads: const methods may be called from several threads at once; calls that overlap share the
// processors.
class SpeechModel {
 public:
  // `path`: a model folder (Hugging Face, CTranslate2, Quintet) or a packed .qnt file.
  // Errors: kNotFound, kIo, kCorrupt, kUnsupported, kInvalidArgument; all name the file.
  static Result<SpeechModel> load_file(const std::filesystem::path& path,
                                       const LoadOptions& options = {});
  // The same for the name of an installed model ("whisper-base") or a path.
  static Result<SpeechModel> load(const std::string& name_or_path, const LoadOptions& options = {});

  SpeechModel(SpeechModel&&) noexcept;
  SpeechModel& operator=(SpeechModel&&) noexcept;
  ~SpeechModel();

  // Whether transcribe would take these options: numbers in range, a language of the model.
  // Errors: kInvalidArgument.
  Result<void> check(const TranscribeOptions& options) const;

  // An audio file of any format that libsndfile reads, with any rate and number of channels.
  // Errors: those of reading; kInvalidArgument for options; kCancelled.
  Result<Transcript> transcribe(const std::filesystem::path& file,
                                const TranscribeOptions& options = {}) const;
  // An audio file in memory; `name` stands in errors.
  Result<Transcript> transcribe(std::span<const std::byte> file, const std::string& name,
                                const TranscribeOptions& options = {}) const;
  // Samples in [-1, 1] at 16 kHz, one channel.
  Result<Transcript> transcribe(std::span<const float> samples,
                                const TranscribeOptions& options = {}) const;

  Precision precision() const;
  int threads() const;
  bool baseline() const;
  double load_milliseconds() const;
  MemoryUse memory() const;
  // Codes of the languages that the model knows.
  std::vector<std::string> languages() const;

 private:
  struct Impl;
  explicit SpeechModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quintet
