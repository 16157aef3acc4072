// Everything in net/ that reads text from elsewhere. The first byte chooses the reader.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/net/hub.h"
#include "quintet/net/package_index.h"
#include "quintet/net/pip_config.h"

namespace {

// Whatever a listing says: files of plain names, or an error of one line.
void choose(const std::vector<quintet::net::HubFile>& files, const std::string& asked) {
  const auto index = []() -> quintet::Result<std::string> {
    return std::string(R"({"weight_map": {"a": "model-00001-of-00002.safetensors",
                                          "b": "model-00002-of-00002.safetensors"}})");
  };
  const auto chosen = quintet::net::choose_hub_files(files, {"owner/name", asked}, index);
  if (!chosen) {
    QT_CHECK(chosen.error().message().find('\n') == std::string::npos);
    return;
  }
  for (const auto& file : *chosen) {
    QT_CHECK(!file.name.starts_with('/') && ("/" + file.name).find("/.") == std::string::npos);
  }
}

}  // namespace

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
        choose(*files, "");
        choose(*files, "Q4_0");
      }
      break;
    case 's': static_cast<void>(quintet::net::parse_shard_index(text)); break;
    case 'n':
      if (const auto model = quintet::net::parse_hub_model(text)) {
        QT_CHECK(("/" + model->repository + "/" + model->file).find("/.") == std::string::npos);
      }
      break;
    case 'c': static_cast<void>(quintet::net::parse_pip_config(text)); break;
    default: break;
  }
  return 0;
}
