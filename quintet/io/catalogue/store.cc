#include "quintet/io/catalogue/store.h"

#include <algorithm>
#include <system_error>

#include "quintet/core/env.h"
#include "quintet/io/catalogue/catalogue.h"
#include "quintet/io/catalogue/manifest.h"

namespace quintet::io {
namespace {

constexpr std::string_view kHubPrefix = "hf:";

uint64_t bytes_of_files(const std::filesystem::path& folder) {
  uint64_t sum = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;
    const bool ours = entry->path().filename() == kManifestName;
    const uint64_t size = entry->is_regular_file(unreadable) ? entry->file_size(unreadable) : 0;
    if (!unreadable && !ours) sum += size;
  }
  return sum;
}

}  // namespace

Result<std::filesystem::path> store_home() {
  if (const auto home = env("QUINTET_HOME")) return std::filesystem::path(*home);
  if (const auto cache = env("XDG_CACHE_HOME"); cache && cache->front() == '/') {
    return std::filesystem::path(*cache) / "quintet";
  }
  if (const auto home = env("HOME")) return std::filesystem::path(*home) / ".cache" / "quintet";
  return Error(Code::kInvalidArgument,
               "no folder for models: neither QUINTET_HOME, XDG_CACHE_HOME nor HOME is set; set "
               "QUINTET_HOME");
}

std::string store_name(std::string_view model) {
  if (!model.starts_with(kHubPrefix)) return std::string(model);
  std::string name;
  for (const char c : model.substr(kHubPrefix.size())) {
    name += c == '/' || c == ':' ? "--" : std::string(1, c);
  }
  return name;
}

Result<std::filesystem::path> find_model(std::string_view name_or_path) {
  const std::string asked(name_or_path);
  std::error_code error;
  if (!asked.empty() && std::filesystem::exists(asked, error)) {
    return std::filesystem::path(asked);
  }
  const std::string name = store_name(asked);
  if (is_plain_name(name)) {
    QT_TRY(const std::filesystem::path home, store_home());
    const std::filesystem::path folder = home / "models" / name;
    if (std::filesystem::is_directory(folder, error)) return folder;
  }
  const bool can_pull = asked.starts_with(kHubPrefix) || builtin_catalogue().find(asked) != nullptr;
  return Error(Code::kNotFound,
               "model \"" + asked + "\" is neither a file nor an installed model; " +
                   (can_pull ? "run `quintet pull " + asked + "`"
                             : "`quintet pull` knows " + builtin_catalogue().names()));
}

std::vector<InstalledModel> installed_models() {
  std::vector<InstalledModel> models;
  const Result<std::filesystem::path> home = store_home();
  if (!home) return models;
  std::error_code error;
  std::filesystem::directory_iterator entry(*home / "models", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;
    std::string name = entry->path().filename().string();
    if (!entry->is_directory(unreadable) || !is_plain_name(name)) continue;
    const Result<Manifest> manifest = read_manifest(entry->path());
    std::string source = manifest ? manifest->source : "";
    if (source.starts_with(kHubPrefix) && store_name(source) == name) name = source;
    models.push_back({.name = std::move(name),
                      .source = std::move(source),
                      .path = entry->path(),
                      .bytes = bytes_of_files(entry->path())});
  }
  std::sort(models.begin(), models.end(),
            [](const InstalledModel& a, const InstalledModel& b) { return a.name < b.name; });
  return models;
}

}  // namespace quintet::io
