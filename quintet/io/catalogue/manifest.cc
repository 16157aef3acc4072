#include "quintet/io/catalogue/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "quintet/core/file.h"

namespace quintet::io {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxManifestBytes = uint64_t{4} << 20;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<Manifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kManifestName;
  QT_TRY(const std::string text, read_file(path, kMaxManifestBytes));
  const Json root = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto corrupt = [&] { return Error(Code::kCorrupt, path.string() + ": is damaged"); };
  if (root.is_discarded() || !root.is_object()) return corrupt();
  const auto files = root.find("files");
  if (files == root.end() || !files->is_array()) return corrupt();
  Manifest manifest{
      .source = text_of(root, "source"), .licence = text_of(root, "licence"), .files = {}};
  for (const Json& entry : *files) {
    if (!entry.is_object()) return corrupt();
    const auto bytes = entry.find("bytes");
    ManifestFile file{.name = text_of(entry, "name"), .sha256 = text_of(entry, "sha256")};
    if (bytes == entry.end() || !bytes->is_number_unsigned() || !is_plain_name(file.name)) {
      return corrupt();
    }
    file.bytes = bytes->get<uint64_t>();
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

Result<void> write_manifest(const std::filesystem::path& folder, const Manifest& manifest) {
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  const Json root = {
      {"source", manifest.source}, {"licence", manifest.licence}, {"files", std::move(files)}};
  return write_file_atomically(folder / kManifestName,
                               root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool has_files_of(const Manifest& manifest, const CatalogueModel& model) {
  return std::equal(manifest.files.begin(), manifest.files.end(), model.files.begin(),
                    model.files.end(), [](const ManifestFile& have, const CatalogueFile& want) {
                      return have.name == want.name && have.sha256 == want.sha256;
                    });
}

const CatalogueModel* known_model(const std::filesystem::path& folder, const Catalogue& catalogue) {
  const Result<Manifest> manifest = read_manifest(folder);
  if (!manifest || !is_whole(folder, *manifest)) return nullptr;
  const auto found = std::ranges::find_if(catalogue.models, [&](const CatalogueModel& model) {
    return has_files_of(*manifest, model);
  });
  return found == catalogue.models.end() ? nullptr : &*found;
}

bool is_whole(const std::filesystem::path& folder, const Manifest& manifest) {
  return !manifest.files.empty() &&
         std::all_of(manifest.files.begin(), manifest.files.end(), [&](const ManifestFile& file) {
           std::error_code error;
           const uint64_t bytes = std::filesystem::file_size(folder / file.name, error);
           return !error && bytes == file.bytes;
         });
}

}  // namespace quintet::io
