#include "quintet/engine/speech/speech_model.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/speech/batch_transcriber.h"
#include "quintet/engine/speech/make_speech_model.h"
#include "quintet/engine/speech/recording.h"
#include "quintet/engine/speech/speech_context.h"
#include "quintet/engine/speech/vocabulary.h"
#include "quintet/engine/stopwatch.h"
#include "quintet/io/catalogue/store.h"
#include "quintet/io/media/audio.h"
#include "quintet/kernels/mel/mel.h"

namespace quintet {

struct SpeechModel::Impl {
  Impl(const LoadOptions& load_options)
      : options(load_options), pool(std::make_unique<ThreadPool>(load_options.threads)) {}

  // A session for the caller alone; returned with give_back.
  std::unique_ptr<whisper::Session> take_session() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto session = std::move(idle.back());
        idle.pop_back();
        return session;
      }
    }
    return std::make_unique<whisper::Session>(*model, *pool, options.baseline);
  }

  void give_back(std::unique_ptr<whisper::Session> session) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(session));
  }

  speech::SpeechContext context() const {
    return {*model,           vocabulary, *mel, *pool, voice_activity ? &*voice_activity : nullptr,
            load_milliseconds};
  }

  // What follows from the model. Errors: kNotFound, kCorrupt.
  Result<void> finish() {
    if (!model->tokenizer) return Error(Code::kNotFound, "tokenizer.json is missing");
    QT_TRY(vocabulary, speech::Vocabulary::from(*model->tokenizer, model->generation));
    if (vocabulary.first_timestamp >= model->config.vocabulary) {
      return Error(Code::kCorrupt, "none of the model's " +
                                       std::to_string(model->config.vocabulary) +
                                       " tokens is a timestamp");
    }
    mel = std::make_unique<kernels::MelFilter>(model->config.mel_bins);
    return {};
  }

  LoadOptions options;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<whisper::Model> model;
  speech::Vocabulary vocabulary;
  std::unique_ptr<kernels::MelFilter> mel;
  std::optional<speech::VoiceActivity> voice_activity;
  double load_milliseconds = 0;

  std::mutex mutex;
  std::vector<std::unique_ptr<whisper::Session>> idle;
};

SpeechModel::SpeechModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SpeechModel::SpeechModel(SpeechModel&&) noexcept = default;
SpeechModel& SpeechModel::operator=(SpeechModel&&) noexcept = default;
SpeechModel::~SpeechModel() = default;

Result<SpeechModel> SpeechModel::load_file(const std::filesystem::path& path,
                                           const LoadOptions& options) {
  const auto started = Clock::now();
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
  QT_TRY_VOID(impl->finish().with(path.string()));
  if (!options.voice_activity.empty()) {
    QT_TRY(const std::filesystem::path network, io::find_model(options.voice_activity));
    QT_TRY(impl->voice_activity, speech::VoiceActivity::load(network));
  }
  impl->load_milliseconds = milliseconds_since(started);
  return SpeechModel(std::move(impl));
}

Result<SpeechModel> make_speech_model(std::unique_ptr<whisper::Model> model,
                                      const LoadOptions& options) {
  auto impl = std::make_unique<SpeechModel::Impl>(options);
  impl->model = std::move(model);
  QT_TRY_VOID(impl->finish());
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
  explicit BorrowedSession(Impl& impl) : impl_(impl), session_(impl.take_session()) {}
  ~BorrowedSession() { impl_.give_back(std::move(session_)); }
  BorrowedSession(const BorrowedSession&) = delete;
  BorrowedSession& operator=(const BorrowedSession&) = delete;
  whisper::Session& operator*() { return *session_; }

 private:
  Impl& impl_;
  std::unique_ptr<whisper::Session> session_;
};

}  // namespace

std::vector<Result<Transcript>> SpeechModel::transcribe_batch(std::span<const SpeechInput> inputs,
                                                              const BatchOptions& options) const {
  constexpr int kMostWindows = 64;
  if (options.windows < 1 || options.windows > kMostWindows) {
    return {inputs.size(),
            Error(Code::kInvalidArgument,
                  "windows is " + std::to_string(options.windows) + ", expected 1 to 64")};
  }
  BorrowedSession session(*impl_);
  const speech::SpeechContext context = impl_->context();
  speech::BatchTranscriber transcriber(context, *session, options);
  return transcriber.run(inputs);
}

Result<Transcript> SpeechModel::transcribe_one(AudioInput audio,
                                               const TranscribeOptions& options) const {
  const SpeechInput input{.audio = std::move(audio), .options = options};
  return std::move(transcribe_batch({&input, 1}).front());
}

Result<Transcript> SpeechModel::transcribe(const std::filesystem::path& file,
                                           const TranscribeOptions& options) const {
  return transcribe_one(file, options);
}

Result<Transcript> SpeechModel::transcribe(std::span<const std::byte> file, const std::string& name,
                                           const TranscribeOptions& options) const {
  return transcribe_one(AudioBytes{file, name}, options);
}

Result<Transcript> SpeechModel::transcribe(std::span<const float> samples,
                                           const TranscribeOptions& options) const {
  return transcribe_one(samples, options);
}

Result<void> SpeechModel::check(const TranscribeOptions& options) const {
  return speech::check_options(impl_->context(), options);
}

Precision SpeechModel::precision() const { return impl_->model->packed.precision; }
bool SpeechModel::precision_unmeasured() const { return impl_->model->precision_unmeasured; }
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
  for (const auto& session : impl_->idle) {
    use.activations += session->activation_bytes();
    use.caches += session->cache_bytes();
  }
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
