#include "quintet/net/url.h"

#include <curl/curl.h>

#include <memory>

namespace quintet::net {

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, 300));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::optional<std::string> resolve_url(const std::string& base, const std::string& reference) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  if (curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  char* text = nullptr;
  if (curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return std::nullopt;
  std::string resolved(text);
  curl_free(text);
  const bool secure = resolved.starts_with("https://");
  if (!secure && (!resolved.starts_with("http://") || base.starts_with("https://"))) {
    return std::nullopt;
  }
  return resolved;
}

std::string printable_url(const std::string& url) {
  std::string shown = one_line(url.substr(0, url.find_first_of("?#")));
  const size_t scheme = shown.find("://");
  if (scheme == std::string::npos) return shown;
  const size_t host = scheme + 3;
  const size_t at = shown.substr(0, shown.find('/', host)).rfind('@');
  if (at != std::string::npos && at >= host) shown.erase(host, at + 1 - host);
  return shown;
}

}  // namespace quintet::net
