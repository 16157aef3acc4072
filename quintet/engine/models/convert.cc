#include "quintet/engine/models/convert.h"

#include <system_error>

#include "quintet/engine/models/language/model.h"
#include "quintet/engine/models/model_kind.h"
#include "quintet/engine/models/whisper/model.h"

namespace quintet {
namespace {

uint64_t size_of(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(file, ignored);
  return ignored ? 0 : size;
}

}  // namespace

Result<ConvertReport> convert_to_packed(const std::filesystem::path& source,
                                        const std::filesystem::path& file,
                                        std::optional<Precision> precision, int threads) {
  ThreadPool pool(threads);
  if (model_kind(source) == ModelKind::kLanguage) {
    QT_TRY(const auto model, language::load_model(source, precision, pool));
    QT_TRY_VOID(language::save_packed(*model, file));
    return ConvertReport{file, size_of(file), model->original_bytes};
  }
  QT_TRY(const auto model, whisper::load_model(source, precision, pool));
  QT_TRY_VOID(whisper::save_packed(*model, file));
  return ConvertReport{file, size_of(file), model->original_bytes};
}

Result<ConvertReport> convert_to_hugging_face(const std::filesystem::path& source,
                                              const std::filesystem::path& folder, DType dtype) {
  if (model_kind(source) != ModelKind::kSpeech) {
    return Error(Code::kUnsupported,
                 source.string() + ": only speech models can be written as safetensors");
  }
  QT_TRY_VOID(whisper::export_hugging_face(source, folder, dtype));
  QT_TRY(const io::WeightFile weights, io::read_weights(source));
  return ConvertReport{folder, size_of(folder / "model.safetensors"), weights.file_bytes()};
}

}  // namespace quintet
