#include "quintet/net/hub.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "quintet/core/env.h"
#include "quintet/net/gguf_choice.h"
#include "quintet/net/url.h"

namespace quintet::net {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxFiles = 10000;
constexpr uint64_t kMaxListingBytes = uint64_t{16} << 20;
constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kShardIndex = "model.safetensors.index.json";

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

bool is_path(std::string_view text) {
  while (true) {
    const size_t slash = text.find('/');
    if (!is_name(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const HubFile* find(const std::vector<HubFile>& files, std::string_view name) {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const HubFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

// Where a token may go without being read on the way.
bool is_confidential(const std::string& hub) {
  if (hub.starts_with("https://")) return true;
  for (const std::string_view host : {"http://127.0.0.1", "http://localhost", "http://[::1]"}) {
    if (!hub.starts_with(host)) continue;
    if (hub.size() == host.size() || hub[host.size()] == ':' || hub[host.size()] == '/') {
      return hub.find('@') == std::string::npos;  // Before one stands no host.
    }
  }
  return false;
}

std::vector<HubFile> settings_of(const std::vector<HubFile>& all) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
       "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
       "vocab.json", "merges.txt", "chat_template.json", "chat_template.jinja", "normalizer.json"});
  std::vector<HubFile> settings;
  for (const std::string_view name : kNames) {
    if (const HubFile* file = find(all, name)) settings.push_back(*file);
  }
  return settings;
}

Result<void> add_shards(const std::vector<HubFile>& all, std::string_view index,
                        std::vector<HubFile>& files) {
  const std::string where(kShardIndex);
  QT_TRY(const std::vector<std::string> shards, parse_shard_index(index).with(where));
  for (const std::string& shard : shards) {
    const HubFile* file = is_name(shard) ? find(all, shard) : nullptr;
    if (file == nullptr) {
      return Error(Code::kCorrupt, where + ": names \"" + one_line(shard) +
                                       "\", which the repository does not have");
    }
    files.push_back(*file);
  }
  return {};
}

}  // namespace

Result<HubModel> parse_hub_model(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view repository = text.substr(0, colon);
  const size_t slash = repository.find('/');
  const bool named = slash != std::string_view::npos && is_name(repository.substr(0, slash)) &&
                     is_name(repository.substr(slash + 1));
  HubModel model{.repository = std::string(repository), .file = ""};
  if (colon != std::string_view::npos) model.file = text.substr(colon + 1);
  if (named && (colon == std::string_view::npos || is_path(model.file))) return model;
  return Error(Code::kInvalidArgument, "hf:" + one_line(text) +
                                           ": expected hf:OWNER/REPO, or hf:OWNER/REPO:FILE.gguf "
                                           "for one of several files");
}

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

Result<HttpOptions> hub_http_options(const std::string& hub) {
  HttpOptions options;
  std::string token = env("HF_TOKEN").value_or("");
  token.erase(token.find_last_not_of(" \r\n\t") + 1);
  if (token.empty()) {
    options.if_denied =
        "a private or gated model needs HF_TOKEN, the token of an account that may get it; a name "
        "that does not exist is denied too";
    return options;
  }
  // What is no part of a token could end the header and begin another.
  if (std::any_of(token.begin(), token.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return Error(Code::kInvalidArgument,
                 "HF_TOKEN: holds characters that no token has; it should be like hf_AbC123");
  }
  if (!is_confidential(hub)) {
    options.if_denied = "HF_TOKEN was not sent, since the hub's address is not https";
    return options;
  }
  options.headers.emplace_back("Authorization", "Bearer " + token);
  options.if_denied =
      "the account of HF_TOKEN may not get it: accept its terms on the hub; a name that does not "
      "exist is denied too";
  return options;
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

Result<std::vector<std::string>> parse_shard_index(std::string_view json) {
  const Json index = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object() || map->empty()) {
    return Error(Code::kCorrupt, "has no object \"weight_map\" of tensors and their files");
  }
  std::set<std::string> shards;
  for (const Json& shard : *map) {
    if (!shard.is_string()) return Error(Code::kCorrupt, "\"weight_map\" has to hold file names");
    shards.insert(shard.get<std::string>());
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

Result<std::vector<HubFile>> choose_hub_files(
    const std::vector<HubFile>& all, const HubModel& model,
    const std::function<Result<std::string>()>& read_index) {
  std::vector<HubFile> ggufs;
  for (const HubFile& file : all) {
    if (is_path(file.name) && file.name.ends_with(".gguf")) ggufs.push_back(file);
  }
  if (!model.file.empty()) return choose_gguf(ggufs, model);
  std::vector<HubFile> files = settings_of(all);
  if (const HubFile* weights = find(all, kWeights)) {
    files.push_back(*weights);
    return files;
  }
  if (const HubFile* index = find(all, kShardIndex)) {
    files.push_back(*index);
    QT_TRY(const std::string text, read_index());
    QT_TRY_VOID(add_shards(all, text, files));
    return files;
  }
  return choose_gguf(ggufs, model);
}

Result<std::vector<HubFile>> list_hub_model(const std::string& hub, const HubModel& model,
                                            const HttpOptions& options) {
  HttpOptions listing = options;
  listing.max_bytes = kMaxListingBytes;
  listing.progress = nullptr;
  QT_TRY(const HttpResponse response,
         http_get(hub + "/api/models/" + model.repository + "?blobs=true", listing));
  QT_TRY(const std::vector<HubFile> all,
         parse_hub_listing(response.body).with(printable_url(response.url)));
  const auto read_index = [&]() -> Result<std::string> {
    QT_TRY(HttpResponse index,
           http_get(hub_file_url(hub, model.repository, std::string(kShardIndex)), listing));
    return std::move(index.body);
  };
  return choose_hub_files(all, model, read_index).with("hf:" + model.repository);
}

std::string hub_file_url(const std::string& hub, const std::string& repository,
                         const std::string& file) {
  return hub + "/" + repository + "/resolve/main/" + file;
}

}  // namespace quintet::net
