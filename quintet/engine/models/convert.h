// Models from one format to another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "quintet/core/dtype.h"
#include "quintet/core/result.h"
#include "quintet/engine/precision.h"

namespace quintet {

struct ConvertReport {
  std::filesystem::path path;   // What was written.
  uint64_t bytes = 0;           // Its weights file.
  uint64_t original_bytes = 0;  // The published weights.
};

// One packed file at `precision` (unset: what automatic precision is for the model), tokenizer and
// configuration included.
// Errors: those of loading; kIo. Nothing is left behind on failure.
Result<ConvertReport> convert_to_packed(const std::filesystem::path& source,
                                        const std::filesystem::path& file,
                                        std::optional<Precision> precision, int threads);

// A Hugging Face folder in float32 or float16, of a speech model.
// Errors also: kUnsupported for other models.
Result<ConvertReport> convert_to_hugging_face(const std::filesystem::path& source,
                                              const std::filesystem::path& folder, DType dtype);

}  // namespace quintet
