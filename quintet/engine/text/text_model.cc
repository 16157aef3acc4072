#include "quintet/engine/text/text_model.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "quintet/core/file.h"
#include "quintet/engine/models/language/model.h"
#include "quintet/engine/stopwatch.h"
#include "quintet/engine/text/generation_loop.h"
#include "quintet/engine/text/prefix_file.h"
#include "quintet/io/catalogue/store.h"
#include "quintet/io/templates/chat_template.h"

namespace quintet {
namespace {

// Logits that `run` asks for in one pass.
constexpr int64_t kLogitRows = 64;

Result<std::optional<kernels::WeightFormat>> cache_format(const std::string& name) {
  if (name.empty()) return std::optional<kernels::WeightFormat>();
  if (name == "fp32") return std::optional(kernels::WeightFormat::kF32);
  if (name == "bf16") return std::optional(kernels::WeightFormat::kBF16);
  if (name == "int8") return std::optional(kernels::WeightFormat::kI8);
  return Error(Code::kInvalidArgument,
               "the cache's precision \"" + name + "\" is none of fp32, bf16 and int8");
}

}  // namespace

struct TextModel::Impl {
  Impl(std::unique_ptr<language::Model> loaded, std::unique_ptr<ThreadPool> threads,
       const language::SessionOptions& options)
      : pool(std::move(threads)), model(std::move(loaded)), session(*model, *pool, options) {}

  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<language::Model> model;
  std::mutex mutex;  // Of the session.
  language::Session session;
  std::optional<io::ChatTemplate> chat_template = {};
  std::shared_ptr<const decode::VocabularyTrie> vocabulary = {};  // Of constraints.
  double load_milliseconds = 0;
  bool baseline = false;
};

TextModel::TextModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TextModel::TextModel(TextModel&&) noexcept = default;
TextModel& TextModel::operator=(TextModel&&) noexcept = default;
TextModel::~TextModel() = default;

Result<TextModel> TextModel::load(const std::string& name_or_path, const TextLoadOptions& options) {
  const Clock::time_point start = Clock::now();
  if (options.baseline && options.precision.value_or(Precision::kF32) != Precision::kF32) {
    return Error(Code::kInvalidArgument, "the baseline runs in fp32 only");
  }
  QT_TRY(const auto format, cache_format(options.cache));
  QT_TRY(const std::filesystem::path path, io::find_model(name_or_path));
  auto pool = std::make_unique<ThreadPool>(options.threads);
  const auto precision = options.baseline ? Precision::kF32 : options.precision;
  QT_TRY(auto model, language::load_model(path, precision, *pool));
  const language::SessionOptions session = {.baseline = options.baseline,
                                            .cache_format = format,
                                            .max_cache_bytes = options.max_cache_bytes,
                                            .reuse_prefixes = options.reuse_prefixes};
  auto impl = std::make_unique<Impl>(std::move(model), std::move(pool), session);
  if (impl->session.decoder().cache().max_pages() == 0) {
    return Error(Code::kInvalidArgument,
                 path.string() + ": a cache of " + std::to_string(options.max_cache_bytes) +
                     " bytes holds no page of keys and values, which takes " +
                     std::to_string(impl->session.decoder().cache().page_bytes()));
  }
  if (const std::string& source = impl->model->chat_template; !source.empty()) {
    QT_TRY(impl->chat_template,
           io::ChatTemplate::parse(source, "chat_template").with(path.string()));
  }
  impl->baseline = options.baseline;
  impl->load_milliseconds = milliseconds_since(start);
  return TextModel(std::move(impl));
}

Result<std::vector<int32_t>> TextModel::encode(std::string_view text) const {
  if (!impl_->model->tokenizer) {
    return Error(Code::kUnsupported, "the model has no tokenizer");
  }
  return impl_->model->tokenizer->encode(text, io::AddSpecial::kYes);
}

Result<std::vector<int32_t>> TextModel::chat_prompt(std::span<const ChatMessage> messages) const {
  if (!has_chat_template() || !impl_->model->tokenizer) {
    return Error(Code::kUnsupported, "the model has no chat template; give it the prompt as it is");
  }
  const auto text_of = [&](int32_t token) -> std::optional<std::string> {
    if (token < 0) return std::nullopt;
    return std::string(impl_->model->tokenizer->token_bytes(token));
  };
  io::ChatOptions options;
  options.bos_token = text_of(begin_token());
  if (!end_tokens().empty()) options.eos_token = text_of(end_tokens().front());
  std::vector<io::ChatMessage> turns;
  for (const ChatMessage& message : messages) turns.push_back({message.role, message.content});
  QT_TRY(const std::string text, io::render_chat(*impl_->chat_template, turns, options));
  return impl_->model->tokenizer->encode(text);
}

std::string TextModel::decode(std::span<const int32_t> tokens) const {
  return impl_->model->tokenizer ? impl_->model->tokenizer->decode(tokens) : std::string();
}

std::vector<Result<Generation>> TextModel::generate_batch(
    std::span<const GenerateRequest> requests) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::optional<Result<Generation>>> results(requests.size());
  text::GenerationLoop loop(*impl_->model, impl_->session, impl_->vocabulary);
  for (size_t i = 0; i < requests.size(); ++i) {
    auto added = loop.add(requests[i], [&results, i, this](Result<Generation> result) {
      if (result) result->timings.load = impl_->load_milliseconds;
      results[i] = std::move(result);
    });
    if (!added) results[i] = std::move(added).error();
  }
  while (!loop.idle()) loop.step();
  std::vector<Result<Generation>> all;
  for (auto& result : results) all.push_back(*std::move(result));
  return all;
}

Result<Generation> TextModel::generate(const GenerateRequest& request) const {
  return std::move(generate_batch({&request, 1}).front());
}

Result<void> TextModel::run(std::span<const int32_t> tokens, int64_t first,
                            const SeeLogits& see) const {
  const std::lock_guard lock(impl_->mutex);
  language::Decoder& decoder = impl_->session.decoder();
  for (const int32_t token : tokens) {
    if (token >= 0 && token < vocabulary()) continue;
    return Error(Code::kInvalidArgument, "there is no token " + std::to_string(token));
  }
  const decode::Sequence sequence = decoder.begin();
  QT_TRY_VOID(decoder.reserve(sequence.id(), std::ssize(tokens)));
  std::vector<float> logits;
  for (int64_t at = 0; at < std::ssize(tokens);) {
    const bool wants = at >= first;
    const int64_t end = std::min<int64_t>(std::ssize(tokens), wants ? at + kLogitRows : first);
    std::vector<decode::StepRow> rows;
    for (int64_t i = at; i < end; ++i) {
      rows.push_back({sequence.id(), tokens[static_cast<size_t>(i)], wants, false});
    }
    const int64_t wanted = wants ? end - at : 0;
    logits.resize(static_cast<size_t>(wanted * vocabulary()));
    decoder.forward(rows, matrix(logits.data(), wanted, vocabulary()));
    for (int64_t i = 0; i < wanted; ++i) {
      see(at + i, std::span(logits).subspan(static_cast<size_t>(i * vocabulary()),
                                            static_cast<size_t>(vocabulary())));
    }
    at = end;
  }
  return {};
}

bool TextModel::has_chat_template() const { return impl_->chat_template.has_value(); }

std::string TextModel::token_text(int32_t token) const {
  if (!impl_->model->tokenizer) return "";
  return impl_->model->tokenizer->decode({&token, 1}, io::SpecialTokens::kKeep);
}

int32_t TextModel::begin_token() const { return impl_->model->generation.begin_token; }

std::span<const int32_t> TextModel::end_tokens() const {
  return impl_->model->generation.end_tokens;
}

int64_t TextModel::vocabulary() const { return impl_->model->config.vocabulary; }

int64_t TextModel::context() const { return impl_->session.decoder().most_tokens(); }

Precision TextModel::precision() const { return impl_->model->packed.precision; }

int TextModel::threads() const { return impl_->pool->threads(); }

double TextModel::load_milliseconds() const { return impl_->load_milliseconds; }

TextMemoryUse TextModel::memory() const {
  const std::lock_guard lock(impl_->mutex);
  return {.weights = impl_->model->weight_bytes(),
          .activations = impl_->session.activation_bytes(),
          .cache = impl_->session.cache_bytes(),
          .original_weights = impl_->model->original_bytes};
}

void TextModel::forget_prefixes() const {
  const std::lock_guard lock(impl_->mutex);
  while (impl_->session.decoder().prefixes().evict_one()) {
  }
}

Result<void> TextModel::save_prefixes(const std::filesystem::path& file) const {
  const std::lock_guard lock(impl_->mutex);
  language::Decoder& decoder = impl_->session.decoder();
  return text::write_prefixes(file, decoder.prefixes(), decoder.cache(),
                              text::prefix_fingerprint(*impl_->model, impl_->baseline));
}

Result<int64_t> TextModel::load_prefixes(const std::filesystem::path& file) const {
  const std::lock_guard lock(impl_->mutex);
  language::Decoder& decoder = impl_->session.decoder();
  QT_TRY(const auto mapped, MappedFile::open(file));
  QT_TRY(const auto pages,
         text::parse_prefixes(mapped->bytes(), decoder.cache(),
                              text::prefix_fingerprint(*impl_->model, impl_->baseline))
             .with(file.string()));
  return text::add_prefixes(pages, decoder.prefixes(), decoder.cache()) *
         nn::KeyValuePages::kTokens;
}

}  // namespace quintet
