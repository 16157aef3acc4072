#include "quintet/net/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "quintet/core/env.h"
#include "quintet/net/url.h"

namespace quintet::net {
namespace {

constexpr uint64_t kProgressThatCounts = uint64_t{1} << 20;
constexpr std::chrono::milliseconds kLongestBackoff{10000};

struct CurlDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlEasy = std::unique_ptr<CURL, CurlDeleter>;
using CurlList = std::unique_ptr<curl_slist, CurlDeleter>;

// What one attempt is to do, and what came of it. Lives on the stack of the caller; libcurl holds
// pointers to it only during curl_easy_perform.
struct Attempt {
  const HttpOptions* options = nullptr;
  std::string url;
  uint64_t resume_from = 0;  // > 0: ask for the rest of a file.
  std::function<Result<void>(std::span<const char>)> sink;
  std::function<Result<void>()> restart;  // The server sends the whole file after all.

  CURL* easy = nullptr;
  uint64_t received = 0;  // Bytes of the body, on top of `offset`.
  uint64_t offset = 0;    // Where the body of this answer begins in the file.
  uint64_t range_start = UINT64_MAX;
  uint64_t range_total = UINT64_MAX;
  bool body_began = false;
  std::chrono::steady_clock::time_point last_news;  // When bytes of a body came, or it began.
  curl_off_t news = 0;
  bool stalled = false;
  std::optional<Error> failure;  // Our own reason to stop; goes before libcurl's.
};

struct Outcome {
  CURLcode curl = CURLE_OK;
  long status = 0;
  std::chrono::milliseconds retry_after{0};
  std::string reason;  // libcurl's, one line.
};

// "model.bin (https://host/folder/model.bin): "
std::string about(const std::string& url) {
  const std::string shown = printable_url(url);
  const size_t slash = shown.find_last_of('/');
  const std::string name = slash == std::string::npos ? shown : shown.substr(slash + 1);
  return name.empty() || name == shown ? shown : name + " (" + shown + ")";
}

Error too_large(const Attempt& attempt) {
  return Error(Code::kExhausted, about(attempt.url) + ": is larger than the " +
                                     std::to_string(attempt.options->max_bytes) +
                                     " bytes expected at most");
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "Content-Range: bytes 100-199/200" or "bytes */200".
void read_content_range(std::string_view value, Attempt& attempt) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  const size_t slash = value.find('/');
  if (slash == std::string_view::npos) return;
  if (const auto total = parse_number(value.substr(slash + 1))) attempt.range_total = *total;
  const size_t dash = value.substr(0, slash).find('-');
  if (dash == std::string_view::npos) return;
  if (const auto start = parse_number(value.substr(0, dash))) attempt.range_start = *start;
}

size_t on_header(char* data, size_t, size_t size, void* context) {
  auto& attempt = *static_cast<Attempt*>(context);
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // A new answer: of a redirect, or after one.
    attempt.range_start = attempt.range_total = UINT64_MAX;
  }
  constexpr std::string_view kRange = "content-range:";
  if (line.size() > kRange.size() &&
      std::equal(kRange.begin(), kRange.end(), line.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
      })) {
    read_content_range(line.substr(kRange.size()), attempt);
  }
  return size;
}

// Decides at the first byte where the body belongs. The bodies of failed answers are skipped.
Result<void> begin_body(Attempt& attempt, long status) {
  attempt.body_began = true;
  if (attempt.resume_from == 0) return {};
  if (status == 206 && attempt.range_start == attempt.resume_from) {
    attempt.offset = attempt.resume_from;
    return {};
  }
  if (status == 206) {
    return Error(Code::kIo, about(attempt.url) + ": the server sent another range than asked for");
  }
  return attempt.restart();
}

size_t on_body(char* data, size_t, size_t size, void* context) {
  auto& attempt = *static_cast<Attempt*>(context);
  long status = 0;
  curl_easy_getinfo(attempt.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status >= 300) return size;
  const auto take = [&]() -> Result<void> {
    if (!attempt.body_began) QT_TRY_VOID(begin_body(attempt, status));
    attempt.received += size;
    if (attempt.offset + attempt.received > attempt.options->max_bytes) return too_large(attempt);
    return attempt.sink({data, size});
  };
  Result<void> taken = take();
  if (taken) return size;
  attempt.failure = std::move(taken).error();
  return 0;
}

// libcurl calls this at least once a second. Its own limit on low speed looks at an average over
// five seconds, which is late by those.
int on_progress(void* context, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto& attempt = *static_cast<Attempt*>(context);
  const auto time = std::chrono::steady_clock::now();
  if (now != attempt.news) {
    attempt.news = now;
    attempt.last_news = time;
  }
  attempt.stalled = time - attempt.last_news > attempt.options->stall_timeout;
  if (attempt.stalled) return 1;
  if (!attempt.options->progress) return 0;
  const uint64_t whole = total > 0 ? attempt.offset + static_cast<uint64_t>(total) : 0;
  const uint64_t done =
      attempt.body_began ? attempt.offset + attempt.received : attempt.resume_from;
  if (attempt.options->progress(done, attempt.body_began ? whole : 0)) return 0;
  attempt.failure = Error(Code::kCancelled, about(attempt.url) + ": cancelled");
  return 1;
}

void restrict_protocols(CURL* easy, bool secure) {
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
  curl_easy_setopt(
      easy, CURLOPT_REDIR_PROTOCOLS,
      static_cast<long>(secure ? CURLPROTO_HTTPS : (CURLPROTO_HTTP | CURLPROTO_HTTPS)));
#endif
}

void set_certificates(CURL* easy, const HttpOptions& options) {
  if (!options.ca_bundle.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_bundle.c_str());
  } else if (const auto bundle = env("CURL_CA_BUNDLE")) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, bundle->c_str());
  } else if (const auto file = env("SSL_CERT_FILE")) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, file->c_str());
  }
}

CurlList header_list(const HttpOptions& options) {
  CurlList list;
  for (const auto& [name, value] : options.headers) {
    curl_slist* longer = curl_slist_append(list.get(), (name + ": " + value).c_str());
    if (longer == nullptr) break;
    static_cast<void>(list.release());  // The longer list owns the shorter one's nodes.
    list.reset(longer);
  }
  return list;
}

Outcome perform(CURL* easy, Attempt& attempt) {
  curl_easy_reset(easy);
  attempt.easy = easy;
  attempt.received = attempt.offset = 0;
  attempt.body_began = attempt.stalled = false;
  attempt.news = 0;
  attempt.last_news = std::chrono::steady_clock::now();
  const HttpOptions& options = *attempt.options;
  char reason[CURL_ERROR_SIZE] = "";
  const CurlList headers = header_list(options);
  const std::string range = std::to_string(attempt.resume_from) + "-";
  curl_easy_setopt(easy, CURLOPT_URL, attempt.url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "quintet");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(options.max_redirects));
  restrict_protocols(easy, attempt.url.starts_with("https:"));
  set_certificates(easy, options);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &attempt);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &attempt);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &attempt);
  // Compression only where the answer goes to memory: byte ranges of a compressed form are useless.
  if (!attempt.restart) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  if (attempt.resume_from > 0) curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());

  Outcome outcome;
  outcome.curl = curl_easy_perform(easy);
  if (attempt.stalled) {
    outcome.curl = CURLE_OPERATION_TIMEDOUT;
    std::snprintf(reason, sizeof reason, "nothing came for %lld s",
                  static_cast<long long>(options.stall_timeout.count()));
  }
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &outcome.status);
  curl_off_t wait_s = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait_s);
  outcome.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(wait_s, 0, 3600));
  outcome.reason = one_line(reason[0] != '\0' ? reason : curl_easy_strerror(outcome.curl));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  return outcome;
}

bool is_transient(const Outcome& outcome) {
  switch (outcome.curl) {
    case CURLE_OK: break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
  }
  switch (outcome.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return true;
    default: return false;
  }
}

// What became of an attempt that did not fail for a reason of ours: nullopt where it succeeded.
std::optional<Error> error_of(const Outcome& outcome, const Attempt& attempt) {
  const std::string where = about(attempt.url) + ": ";
  if (outcome.curl == CURLE_URL_MALFORMAT || outcome.curl == CURLE_UNSUPPORTED_PROTOCOL) {
    return Error(Code::kInvalidArgument, where + outcome.reason + "; expected http or https");
  }
  if (outcome.curl != CURLE_OK) {
    return Error(is_transient(outcome) ? Code::kUnavailable : Code::kIo, where + outcome.reason);
  }
  if (outcome.status >= 200 && outcome.status < 300) return std::nullopt;
  const std::string answer = where + "the server answered " + std::to_string(outcome.status);
  if (outcome.status == 404 || outcome.status == 410) {
    return Error(Code::kNotFound, answer + ", not found");
  }
  if (outcome.status == 401 || outcome.status == 403) {
    const std::string& advice = attempt.options->if_denied;
    return Error(Code::kIo, answer + ", access denied" + (advice.empty() ? "" : "; ") + advice);
  }
  return Error(is_transient(outcome) ? Code::kUnavailable : Code::kIo, answer);
}

// Sleeps in short steps, so that a cancellation is noticed.
Result<void> wait_before_retry(std::chrono::milliseconds pause, const Attempt& attempt) {
  constexpr std::chrono::milliseconds kStep{100};
  while (pause.count() > 0) {
    if (attempt.options->progress && !attempt.options->progress(attempt.resume_from, 0)) {
      return Error(Code::kCancelled, about(attempt.url) + ": cancelled");
    }
    std::this_thread::sleep_for(std::min(pause, kStep));
    pause -= kStep;
  }
  return {};
}

Result<CurlEasy> new_easy() {
  static std::once_flag once;
  static CURLcode global = CURLE_OK;
  std::call_once(once, [] { global = curl_global_init(CURL_GLOBAL_DEFAULT); });
  CurlEasy easy(global == CURLE_OK ? curl_easy_init() : nullptr);
  if (!easy) return Error(Code::kInternal, "libcurl cannot be initialised");
  return easy;
}

// Attempts until one succeeds, one fails for good, or too many in a row brought nothing.
// `prepare` sets the attempt up, before each.
Result<Outcome> perform_with_retries(CURL* easy, Attempt& attempt,
                                     const std::function<Result<void>()>& prepare) {
  std::chrono::milliseconds backoff = attempt.options->first_backoff;
  uint64_t best = 0;
  for (int failures = 0;;) {
    QT_TRY_VOID(prepare());
    Outcome outcome = perform(easy, attempt);
    if (attempt.failure) return *std::move(attempt.failure);
    const uint64_t reached = attempt.offset + attempt.received;
    if (reached >= best + kProgressThatCounts) {
      best = reached;
      failures = 0;
      backoff = attempt.options->first_backoff;
    }
    // Asked for the rest of a file, and there is none: complete, or of another version.
    if (outcome.status == 416 && attempt.resume_from > 0) return outcome;
    std::optional<Error> error = error_of(outcome, attempt);
    if (!error) return outcome;
    if (!is_transient(outcome) || failures >= attempt.options->max_retries) {
      return *std::move(error);
    }
    ++failures;
    QT_TRY_VOID(wait_before_retry(std::min(std::max(backoff, outcome.retry_after), kLongestBackoff),
                                  attempt));
    backoff *= 2;
  }
}

// The file a download grows.
class GrowingFile {
 public:
  ~GrowingFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;
  explicit GrowingFile(const std::filesystem::path& path)
      : path_(path.string()),
        fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666)) {}

  Result<uint64_t> size() const {
    struct stat info {};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0) return system_error("cannot open for writing");
    if (!S_ISREG(info.st_mode)) return Error(Code::kIo, path_ + ": is not a regular file");
    return static_cast<uint64_t>(info.st_size);
  }
  Result<void> empty() {
    if (::ftruncate(fd_, 0) != 0) return system_error("cannot truncate");
    return {};
  }
  Result<void> append(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("cannot write");
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

 private:
  Error system_error(const char* what) const {
    return Error(Code::kIo, path_ + ": " + what + ": " + std::strerror(errno));
  }
  std::string path_;
  int fd_;
};

}  // namespace

Result<HttpResponse> http_get(const std::string& url, const HttpOptions& options) {
  QT_TRY(const CurlEasy easy, new_easy());
  HttpResponse response;
  Attempt attempt;
  attempt.options = &options;
  attempt.url = url;
  attempt.sink = [&](std::span<const char> bytes) -> Result<void> {
    response.body.append(bytes.data(), bytes.size());
    return {};
  };
  QT_TRY_VOID(perform_with_retries(easy.get(), attempt, [&]() -> Result<void> {
    response.body.clear();
    return {};
  }));
  const char* text = nullptr;
  curl_easy_getinfo(easy.get(), CURLINFO_CONTENT_TYPE, &text);
  if (text != nullptr) response.content_type = text;
  text = nullptr;
  curl_easy_getinfo(easy.get(), CURLINFO_EFFECTIVE_URL, &text);
  response.url = text != nullptr ? text : url;
  return response;
}

Result<DownloadReport> http_download(const std::string& url, const std::filesystem::path& path,
                                     const HttpOptions& options) {
  QT_TRY(const CurlEasy easy, new_easy());
  GrowingFile file(path);
  QT_TRY(uint64_t kept, file.size());
  Attempt attempt;
  attempt.options = &options;
  attempt.url = url;
  attempt.sink = [&](std::span<const char> bytes) { return file.append(bytes); };
  attempt.restart = [&]() -> Result<void> {
    kept = 0;
    return file.empty();
  };
  const auto prepare = [&]() -> Result<void> {
    QT_TRY(attempt.resume_from, file.size());
    if (attempt.resume_from > options.max_bytes) {
      QT_TRY_VOID(attempt.restart());
      attempt.resume_from = 0;
    }
    return {};
  };
  QT_TRY(const Outcome outcome, perform_with_retries(easy.get(), attempt, prepare));
  if (outcome.status == 416 && attempt.range_total != attempt.resume_from) {
    QT_TRY_VOID(attempt.restart());
    QT_TRY_VOID(perform_with_retries(easy.get(), attempt, prepare));
  }
  QT_TRY(const uint64_t bytes, file.size());
  return DownloadReport{.bytes = bytes, .resumed_bytes = kept};
}

}  // namespace quintet::net
