// The JSON files that describe a model: config.json of both published formats and
// generation_config.json. A NUL byte separates the first from the second file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/layers.h"

namespace quintet::whisper {
namespace {

// An error must be one line for people.
template <typename T>
bool good(const Result<T>& result) {
  if (result) return true;
  QT_CHECK(!result.error().message().empty());
  QT_CHECK(result.error().message().find('\n') == std::string::npos);
  return false;
}

void use(const GenerationConfig& generation) {
  const std::string text = generation_to_json(generation);
  const auto again = generation_from_json("{}", text);
  QT_CHECK(again.has_value());
  QT_CHECK_EQ(generation_to_json(*again), text);
}

}  // namespace
}  // namespace quintet::whisper

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quintet::whisper;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string first(input.substr(0, end));
  const std::string second(end == std::string_view::npos ? "" : input.substr(end + 1));
  if (const auto config = config_from_json(first); good(config)) {
    // What is accepted comes back, and its layers have sizes that can be counted.
    const auto again = config_from_json(config_to_json(*config));
    QT_CHECK(again.has_value());
    QT_CHECK_EQ(config_to_json(*again), config_to_json(*config));
    for (const LayerSpec& spec : layer_specs(*config)) QT_CHECK(spec.n > 0 && spec.k > 0);
  }
  if (const auto generation = generation_from_json(first, second); good(generation)) {
    use(*generation);
  }
  if (const auto generation = generation_from_ct2(first); good(generation)) use(*generation);
  return 0;
}
