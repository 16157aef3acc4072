// A model hub that speaks the Hugging Face API, at an address that the user sets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/net/http.h"

namespace quintet::net {

// "OWNER/REPO", or "OWNER/REPO:FILE" for one of several GGUF files: its path in the repository, or
// the last part of its name before ".gguf", as "Q4_K_M".
struct HubModel {
  std::string repository;
  std::string file;  // Empty: what the repository has.
};

struct HubFile {
  std::string name;      // Path in the repository.
  uint64_t bytes = 0;    // 0: unknown.
  std::string sha256{};  // Lower case hexadecimal; empty where the hub does not say.
};

// Errors: kInvalidArgument, saying what is right.
Result<HubModel> parse_hub_model(std::string_view text);

// The hub's base address without a final slash: QUINTET_HUB_URL, else HF_ENDPOINT.
// Errors: kInvalidArgument, saying which variable to set.
Result<std::string> hub_address();

// How to talk to the hub: with the token of HF_TOKEN, if it is set. Only the hub's own host and
// port get it, and only over https or on this machine; where redirects lead elsewhere it is left
// out. Errors: kInvalidArgument where the token has characters that none has.
Result<HttpOptions> hub_http_options(const std::string& hub);

// The files that a listing (GET {hub}/api/models/OWNER/REPO?blobs=true) names. Errors: kCorrupt.
Result<std::vector<HubFile>> parse_hub_listing(std::string_view json);

// The files that "weight_map" of model.safetensors.index.json names, each once. Errors: kCorrupt.
Result<std::vector<std::string>> parse_shard_index(std::string_view json);

// Of a listing, the files of the model. Weights come in one form, the first that is there:
// model.safetensors; the files that model.safetensors.index.json names (`read_index` gives its
// text); one GGUF file, with all its parts. To safetensors belong the JSON files of configuration,
// tokenizer and preprocessing and the chat template; a GGUF file holds all that.
// Errors: kUnsupported (no such weights); kInvalidArgument (several GGUF files, or none of this
// name; lists those that there are); kCorrupt (the index names a file that is not there).
Result<std::vector<HubFile>> choose_hub_files(
    const std::vector<HubFile>& all, const HubModel& model,
    const std::function<Result<std::string>()>& read_index);

// The files of a model on a hub. Errors: those of http_get and choose_hub_files.
Result<std::vector<HubFile>> list_hub_model(const std::string& hub, const HubModel& model,
                                            const HttpOptions& options);
std::string hub_file_url(const std::string& hub, const std::string& repository,
                         const std::string& file);

}  // namespace quintet::net
