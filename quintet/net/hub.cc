#include "quintet/net/hub.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "quintet/core/env.h"
#include "quintet/net/url.h"

namespace quintet::net {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxFiles = 10000;
constexpr uint64_t kMaxListingBytes = uint64_t{16} << 20;

std::string string_field(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t size_field(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

bool is_name(std::string_view text) {
  const bool characters = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  return characters && !text.empty() && text.size() <= 96 && text.front() != '.';
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<std::string> hub_address() {
  std::optional<std::string> address = env("QUINTET_HUB_URL");
  if (!address) address = env("HF_ENDPOINT");
  if (!address) {
    return Error(Code::kInvalidArgument,
                 "hf: no hub address is set; set QUINTET_HUB_URL (or HF_ENDPOINT) to the address "
                 "of a model hub or of a mirror of one");
  }
  while (!address->empty() && address->back() == '/') address->pop_back();
  return *std::move(address);
}

bool is_hub_repository(std::string_view repository) {
  const size_t slash = repository.find('/');
  return slash != std::string_view::npos && is_name(repository.substr(0, slash)) &&
         is_name(repository.substr(slash + 1));
}

Result<std::vector<HubFile>> parse_hub_listing(std::string_view json) {
  const Json listing = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (listing.is_discarded() || !listing.is_object()) {
    return Error(Code::kCorrupt, "the hub's listing is not a JSON object");
  }
  const auto siblings = listing.find("siblings");
  if (siblings == listing.end() || !siblings->is_array()) {
    return Error(Code::kCorrupt, "the hub's listing has no list \"siblings\"");
  }
  if (siblings->size() > kMaxFiles) {
    return Error(Code::kCorrupt, "the hub lists more than " + std::to_string(kMaxFiles) + " files");
  }
  std::vector<HubFile> files;
  for (const Json& entry : *siblings) {
    if (!entry.is_object()) continue;
    HubFile file{
        .name = string_field(entry, "rfilename"), .bytes = size_field(entry, "size"), .sha256 = ""};
    if (file.name.empty()) continue;
    const auto lfs = entry.find("lfs");
    if (lfs != entry.end() && lfs->is_object()) {
      const std::string hash = string_field(*lfs, "sha256");
      if (is_sha256(hash)) file.sha256 = hash;
      if (file.bytes == 0) file.bytes = size_field(*lfs, "size");
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<HubFile> usable_hub_files(const std::vector<HubFile>& files) {
  static constexpr std::string_view kNames[] = {"config.json",
                                                "generation_config.json",
                                                "preprocessor_config.json",
                                                "processor_config.json",
                                                "tokenizer.json",
                                                "tokenizer_config.json",
                                                "special_tokens_map.json",
                                                "added_tokens.json",
                                                "vocab.json",
                                                "merges.txt",
                                                "chat_template.json",
                                                "chat_template.jinja",
                                                "model.safetensors.index.json",
                                                "normalizer.json"};
  std::vector<HubFile> usable;
  for (const HubFile& file : files) {
    // Weights and settings lie at the top; folders hold other formats of the same model.
    if (!is_name(file.name)) continue;
    const bool named =
        std::find(std::begin(kNames), std::end(kNames), file.name) != std::end(kNames);
    if (named || file.name.ends_with(".safetensors")) usable.push_back(file);
  }
  return usable;
}

Result<std::vector<HubFile>> list_hub_files(const std::string& hub, const std::string& repository,
                                            const HttpOptions& options) {
  if (!is_hub_repository(repository)) {
    return Error(Code::kInvalidArgument, "hf:" + repository + ": expected hf:OWNER/REPO");
  }
  HttpOptions listing = options;
  listing.max_bytes = kMaxListingBytes;
  listing.progress = nullptr;
  QT_TRY(const HttpResponse response,
         http_get(hub + "/api/models/" + repository + "?blobs=true", listing));
  return parse_hub_listing(response.body).with(printable_url(response.url));
}

std::string hub_file_url(const std::string& hub, const std::string& repository,
                         const std::string& file) {
  return hub + "/" + repository + "/resolve/main/" + file;
}

}  // namespace quintet::net
