// What packed files of all models have in common: precision, plan, tokenizer and tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/weights/packed_model.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"

namespace quintet::weights {

// Keys of a packed file's metadata.
inline constexpr std::string_view kArchitecture = "architecture";
inline constexpr std::string_view kPrecision = "precision";
inline constexpr std::string_view kLayers = "layers";
inline constexpr std::string_view kOriginalBytes = "original_bytes";

// Errors: kCorrupt where the file lacks the key.
Result<std::string> packed_field(const io::WeightFile& file, std::string_view key);

// Errors: kUnsupported where the file holds another kind of model.
Result<void> expect_architecture(const io::WeightFile& file, std::string_view architecture);

// The file's precision. Errors: kInvalidArgument where it is not the one that is wanted.
Result<Precision> packed_precision(const io::WeightFile& file, std::optional<Precision> wanted);

// Size of the published weights.
Result<uint64_t> packed_original_bytes(const io::WeightFile& file);

// Unset where the file says that there is none.
Result<std::optional<io::BpeTokenizer>> packed_tokenizer(const io::WeightFile& file);

// The tensors of `file` with its plan, read into memory where that makes the model faster.
Result<PackedModel> open_packed_model(io::WeightFile file, Precision precision,
                                      std::span<const LayerSpec> specs, ThreadPool& pool);

// Writes a model as one packed file. `metadata`: what the model has beside the keys above and its
// tokenizer.
using Metadata = std::map<std::string, std::string, std::less<>>;
Result<void> write_packed_model(const std::filesystem::path& file, const PackedModel& model,
                                std::string_view architecture, uint64_t original_bytes,
                                const std::optional<io::BpeTokenizer>& tokenizer,
                                Metadata metadata);

}  // namespace quintet::weights
