// A small blocking HTTP client: one GET at a time, into memory or into a file that resumes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::net {

// `total` is 0 while nobody knows it. Returning false stops the transfer with kCancelled.
using ProgressCallback = std::function<bool(uint64_t done_bytes, uint64_t total_bytes)>;

struct HttpOptions {
  // "Authorization" goes to the host and port of the URL alone, not where redirects lead elsewhere.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string if_denied;  // What to do about a 401 or 403, for its message.
  std::chrono::milliseconds connect_timeout{15000};
  // A transfer that brings nothing for so long is given up (and tried again).
  std::chrono::seconds stall_timeout{30};
  int max_redirects = 5;
  uint64_t max_bytes = uint64_t{64} << 20;  // Of the decoded body, or of the finished file.
  // How often a transient failure in a row is tried again. A download that has advanced by 1 MiB
  // starts counting anew.
  int max_retries = 4;
  std::chrono::milliseconds first_backoff{500};  // Doubles with each retry, 10 s at most.
  // Certificates of the authorities to trust, as a file. Empty: CURL_CA_BUNDLE, else SSL_CERT_FILE,
  // else what libcurl was built with.
  std::string ca_bundle;
  ProgressCallback progress;
};

struct HttpResponse {
  std::string body;
  std::string content_type;  // As sent, parameters included.
  std::string url;           // Where the redirects led.
};

// The body of a 2xx answer. A redirect may go from http to https, but never back. Proxies come from
// the environment, as libcurl reads it.
// Errors: kNotFound (404, 410), kExhausted (larger than max_bytes), kInvalidArgument (not an http
// or https URL), kCancelled, kUnavailable (transient, after all retries), kIo (anything else).
Result<HttpResponse> http_get(const std::string& url, const HttpOptions& options = {});

struct DownloadReport {
  uint64_t bytes = 0;          // Of the whole file.
  uint64_t resumed_bytes = 0;  // Of those, how many were there before the call.
};

// Continues or starts the file `path`: what is in it already is kept if the server can send the
// rest. After an error the file holds what has come so far, for the next call. Whether the bytes
// are the right ones is for the caller to check.
// Errors: as http_get, and kIo for the file.
Result<DownloadReport> http_download(const std::string& url, const std::filesystem::path& path,
                                     const HttpOptions& options = {});

}  // namespace quintet::net
