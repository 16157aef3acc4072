// Everything in net/ that reads text from elsewhere. The first byte chooses the reader.
#include <cstdint>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/net/hub.h"
#include "quintet/net/package_index.h"
#include "quintet/net/pip_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'h':
      if (const auto files = quintet::net::parse_index_html(text, "https://host/simple/name/")) {
        for (const auto& file : *files) QT_CHECK(file.url.starts_with("https://"));
      }
      break;
    case 'j':
      if (const auto files = quintet::net::parse_index_json(text, "https://host/simple/name/")) {
        for (const auto& file : *files) QT_CHECK(file.sha256.empty() || file.sha256.size() == 64);
      }
      break;
    case 'm':
      if (const auto files = quintet::net::parse_hub_listing(text)) {
        for (const auto& file : quintet::net::usable_hub_files(*files)) {
          QT_CHECK(file.name.find('/') == std::string::npos);
        }
      }
      break;
    case 'c': static_cast<void>(quintet::net::parse_pip_config(text)); break;
    default: break;
  }
  return 0;
}
