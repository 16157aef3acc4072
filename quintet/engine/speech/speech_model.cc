#include "quintet/engine/speech/speech_model.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "quintet/core/check.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/stopwatch.h"
#include "quintet/engine/speech/transcriber.h"
#include "quintet/engine/speech/vocabulary.h"
#include "quintet/io/catalogue/store.h"
#include "quintet/io/media/audio.h"
#include "quintet/kernels/mel/mel.h"

namespace quintet {

struct SpeechModel::Impl {
  Impl(const LoadOptions& load_options)
      : options(load_options), pool(std::make_unique<ThreadPool>(load_options.threads)) {}

  // A session for the caller alone; returned with give_back.
  std::unique_ptr<whisper::Session> take_session(int64_t max_sequences) {
    {
      const std::lock_guard lock(mutex);
      const auto fits = std::find_if(idle.begin(), idle.end(), [&](const auto& session) {
        return session->max_sequences() >= max_sequences;
      });
      if (fits != idle.end()) {
        auto session = std::move(*fits);
        idle.erase(fits);
        return session;
      }
    }
    auto session =
        std::make_unique<whisper::Session>(*model, *pool, max_sequences, options.baseline);
    const std::lock_guard lock(mutex);
    activation_bytes += session->activation_bytes();
    cache_bytes += session->cache_bytes();
    return session;
  }

  void give_back(std::unique_ptr<whisper::Session> session) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(session));
  }

  LoadOptions options;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<whisper::Model> model;
  speech::Vocabulary vocabulary;
  std::unique_ptr<kernels::MelFilter> mel;
  double load_milliseconds = 0;

  std::mutex mutex;
  std::vector<std::unique_ptr<whisper::Session>> idle;
  uint64_t activation_bytes = 0;
  uint64_t cache_bytes = 0;
};

namespace {

Result<void> check_options(const TranscribeOptions& options) {
  const auto wrong = [](const std::string& what) { return Error(Code::kInvalidArgument, what); };
  constexpr int kMostSequences = 64;
  if (options.beams < 1 || options.beams > kMostSequences) {
    return wrong("beams is " + std::to_string(options.beams) + ", expected 1 to 64");
  }
  if (options.samples < 1 || options.samples > kMostSequences) {
    return wrong("samples is " + std::to_string(options.samples) + ", expected 1 to 64");
  }
  if (options.temperatures.empty()) return wrong("temperatures is empty, expected at least one");
  for (const float t : options.temperatures) {
    if (!(t >= 0) || !std::isfinite(t)) {
      return wrong("temperature is " + std::to_string(t) + ", expected 0 or more");
    }
  }
  return {};
}

}  // namespace

SpeechModel::SpeechModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SpeechModel::SpeechModel(SpeechModel&&) noexcept = default;
SpeechModel& SpeechModel::operator=(SpeechModel&&) noexcept = default;
SpeechModel::~SpeechModel() = default;

Result<SpeechModel> SpeechModel::load_file(const std::filesystem::path& path,
                                           const LoadOptions& options) {
  const auto started = speech::Clock::now();
  constexpr int kMostThreads = 1024;
  if (options.threads < 0 || options.threads > kMostThreads) {
    return Error(Code::kInvalidArgument,
                 "threads is " + std::to_string(options.threads) + ", expected 0 to 1024");
  }
  std::optional<Precision> precision = options.precision;
  if (options.baseline) {
    if (precision && *precision != Precision::kF32) {
      return Error(Code::kInvalidArgument, "the baseline is float32: use --precision fp32 with it");
    }
    precision = Precision::kF32;
  }
  auto impl = std::make_unique<Impl>(options);
  QT_TRY(impl->model, whisper::load_model(path, precision, *impl->pool));
  if (!impl->model->tokenizer) {
    return Error(Code::kNotFound, path.string() + ": tokenizer.json is missing");
  }
  const auto vocabulary =
      speech::Vocabulary::from(*impl->model->tokenizer, impl->model->generation);
  if (!vocabulary) return Error(vocabulary.error()).with(path.string());
  if (vocabulary->first_timestamp >= impl->model->config.vocabulary) {
    return Error(Code::kCorrupt, path.string() + ": none of the model's " +
                                     std::to_string(impl->model->config.vocabulary) +
                                     " tokens is a timestamp");
  }
  impl->vocabulary = *vocabulary;
  impl->mel = std::make_unique<kernels::MelFilter>(impl->model->config.mel_bins);
  impl->load_milliseconds = speech::milliseconds_since(started);
  return SpeechModel(std::move(impl));
}

Result<SpeechModel> SpeechModel::load(const std::string& name_or_path, const LoadOptions& options) {
  QT_TRY(const std::filesystem::path path, io::find_model(name_or_path));
  return load_file(path, options);
}

namespace {

// Gives a session back when the transcription is over, however it ended.
template <typename Impl>
class BorrowedSession {
 public:
  BorrowedSession(Impl& impl, int64_t sequences)
      : impl_(impl), session_(impl.take_session(sequences)) {}
  ~BorrowedSession() { impl_.give_back(std::move(session_)); }
  BorrowedSession(const BorrowedSession&) = delete;
  BorrowedSession& operator=(const BorrowedSession&) = delete;
  whisper::Session& operator*() { return *session_; }

 private:
  Impl& impl_;
  std::unique_ptr<whisper::Session> session_;
};

template <typename Impl>
Result<Transcript> run(Impl& impl, speech::WindowReader reader, const TranscribeOptions& options) {
  QT_TRY_VOID(check_options(options));
  BorrowedSession session(impl, std::max(options.beams, options.samples));
  speech::Transcriber transcriber(*impl.model, impl.vocabulary, *impl.mel, *impl.pool, *session,
                                  options);
  QT_TRY(Transcript transcript, transcriber.run(reader));
  transcript.timings.load = impl.load_milliseconds;
  return transcript;
}

}  // namespace

Result<Transcript> SpeechModel::transcribe(const std::filesystem::path& file,
                                           const TranscribeOptions& options) const {
  QT_TRY(io::AudioReader reader, io::AudioReader::open(file));
  return run(*impl_, speech::WindowReader(reader), options);
}

Result<Transcript> SpeechModel::transcribe(std::span<const std::byte> file, const std::string& name,
                                           const TranscribeOptions& options) const {
  QT_TRY(io::AudioReader reader, io::AudioReader::open(file, name));
  return run(*impl_, speech::WindowReader(reader), options);
}

Result<Transcript> SpeechModel::transcribe(std::span<const float> samples,
                                           const TranscribeOptions& options) const {
  return run(*impl_, speech::WindowReader(samples), options);
}

Result<void> SpeechModel::check(const TranscribeOptions& options) const {
  QT_TRY_VOID(check_options(options));
  if (!options.language.empty()) QT_TRY_VOID(impl_->vocabulary.language(options.language));
  return {};
}

Precision SpeechModel::precision() const { return impl_->model->packed.precision; }
int SpeechModel::threads() const { return impl_->pool->threads(); }
bool SpeechModel::baseline() const { return impl_->options.baseline; }
double SpeechModel::load_milliseconds() const { return impl_->load_milliseconds; }

MemoryUse SpeechModel::memory() const {
  MemoryUse use;
  for (const auto& [name, tensor] : impl_->model->packed.tensors.tensors) {
    uint64_t& part = name.starts_with("encoder.")            ? use.encoder_weights
                     : name.starts_with("decoder.embedding") ? use.embedding_weights
                                                             : use.decoder_weights;
    part += tensor.bytes.size();
  }
  use.original_weights = impl_->model->original_bytes;
  const std::lock_guard lock(impl_->mutex);
  use.activations = impl_->activation_bytes;
  use.caches = impl_->cache_bytes;
  return use;
}

std::vector<std::string> SpeechModel::languages() const {
  std::vector<std::string> codes;
  for (const speech::Language& language : impl_->vocabulary.languages) {
    codes.push_back(language.code);
  }
  if (codes.empty()) codes.emplace_back("en");
  return codes;
}

}  // namespace quintet
