// Which kind of model a folder or file holds.
#pragma once

#include <cstdint>
#include <filesystem>

namespace quintet {

enum class ModelKind : uint8_t { kSpeech, kLanguage };

// As the architecture of a packed file, the metadata of a GGUF file or the config.json beside the
// weights says; kSpeech where nothing can be read, so that the one who loads it says why.
ModelKind model_kind(const std::filesystem::path& file_or_folder);

}  // namespace quintet
