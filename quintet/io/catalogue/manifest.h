// What a pull writes beside the files of a model: where they came from and what they must be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/catalogue/catalogue.h"

namespace quintet::io {

inline constexpr char kManifestName[] = ".quintet.json";

struct ManifestFile {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;  // Empty: unknown.
};

struct Manifest {
  std::string source;  // "catalogue" or "hf:OWNER/REPO".
  std::string licence;
  std::vector<ManifestFile> files;
};

// Errors: kNotFound (no manifest: not a folder that a pull made), kCorrupt.
Result<Manifest> read_manifest(const std::filesystem::path& folder);
Result<void> write_manifest(const std::filesystem::path& folder, const Manifest& manifest);

// Whether these are the files of `model`, by name and content.
bool has_files_of(const Manifest& manifest, const CatalogueModel& model);

// The model of `catalogue` whose files a pull has put into `folder`, whatever its name; nullptr:
// none, or files are missing.
const CatalogueModel* known_model(const std::filesystem::path& folder, const Catalogue& catalogue);

// Whether every file is there in its full size.
bool is_whole(const std::filesystem::path& folder, const Manifest& manifest);

}  // namespace quintet::io
