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
#include "quintet/engine/speech/speech_input.h"
#include "quintet/engine/speech/transcript.h"

namespace quintet {

namespace whisper {
struct Model;
}

struct LoadOptions {
  // Unset: that of a packed file; otherwise one whose accuracy somebody has checked on these
  // weights, bf16 where nobody has (engine/automatic_precision.h).
  std::optional<Precision> precision = {};
  int threads = 0;        // 0: as many as the process may use.
  bool baseline = false;  // The yardstick: float32, one operator at a time, full padding.
  // Installed voice-activity network ("silero-vad") or its path, for Cut::kSilences; empty: none.
  std::string voice_activity = {};
};

// What a model occupies, in bytes.
struct MemoryUse {
  uint64_t encoder_weights = 0;
  uint64_t decoder_weights = 0;    // Without the embedding.
  uint64_t embedding_weights = 0;  // Also the output head.
  uint64_t activations = 0;        // Kept by the calls that have ended, for the next ones,
  uint64_t caches = 0;             // and their keys and values.
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

  // Several recordings at once, which is faster than one after the other and gives the same texts.
  // Results stand in the order of the inputs, each with its own error: those of reading;
  // kInvalidArgument for options; kCancelled. The times of a result are its share of those of the
  // batch.
  std::vector<Result<Transcript>> transcribe_batch(std::span<const SpeechInput> inputs,
                                                   const BatchOptions& options = {}) const;

  // One of them: an audio file, an audio file in memory (`name` stands in errors), or samples in
  // [-1, 1] at 16 kHz, one channel.
  Result<Transcript> transcribe(const std::filesystem::path& file,
                                const TranscribeOptions& options = {}) const;
  Result<Transcript> transcribe(std::span<const std::byte> file, const std::string& name,
                                const TranscribeOptions& options = {}) const;
  Result<Transcript> transcribe(std::span<const float> samples,
                                const TranscribeOptions& options = {}) const;

  Precision precision() const;
  // Whether that is bf16 for want of a check, LoadOptions having left it open.
  bool precision_unmeasured() const;
  int threads() const;
  bool baseline() const;
  double load_milliseconds() const;
  MemoryUse memory() const;
  // Codes of the languages that the model knows.
  std::vector<std::string> languages() const;

 private:
  friend Result<SpeechModel> make_speech_model(std::unique_ptr<whisper::Model> model,
                                               const LoadOptions& options);
  struct Impl;
  Result<Transcript> transcribe_one(AudioInput audio, const TranscribeOptions& options) const;
  explicit SpeechModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quintet
