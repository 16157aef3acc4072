// A model hub that speaks the Hugging Face API, at an address that the user sets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/net/http.h"

namespace quintet::net {

struct HubFile {
  std::string name;      // Path in the repository.
  uint64_t bytes = 0;    // 0: unknown.
  std::string sha256{};  // Lower case hexadecimal; empty where the hub does not say.
};

// The hub's base address without a final slash: QUINTET_HUB_URL, else HF_ENDPOINT.
// Errors: kInvalidArgument, saying which variable to set.
Result<std::string> hub_address();

// The files that a listing (GET {hub}/api/models/OWNER/REPO?blobs=true) names. Errors: kCorrupt.
Result<std::vector<HubFile>> parse_hub_listing(std::string_view json);

// Of a listing, what this engine can use: the JSON files of configuration, tokenizer and
// preprocessing, chat template, and the safetensors weights with their index.
std::vector<HubFile> usable_hub_files(const std::vector<HubFile>& files);

// `repository` is "OWNER/REPO". Errors: kInvalidArgument (no such form), and those of http_get.
Result<std::vector<HubFile>> list_hub_files(const std::string& hub, const std::string& repository,
                                            const HttpOptions& options);
std::string hub_file_url(const std::string& hub, const std::string& repository,
                         const std::string& file);

// Whether `repository` is OWNER/REPO in letters, digits, '.', '_' and '-'.
bool is_hub_repository(std::string_view repository);

}  // namespace quintet::net
