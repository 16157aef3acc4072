// The JSON texts that describe a model: config.json of both published formats,
// generation_config.json, and what packed files say of their layers and of a check. A NUL byte
// separates the first from the second text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/engine/accuracy_check.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/plan.h"

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
    if (const auto plan = quintet::weights::plan_from_json(second, layer_specs(*config));
        good(plan)) {
      const auto plan_again = quintet::weights::plan_from_json(
          quintet::weights::plan_to_json(*plan), layer_specs(*config));
      QT_CHECK(plan_again.has_value());
      QT_CHECK_EQ(plan_to_json(*plan_again), plan_to_json(*plan));
    }
  }
  if (const auto generation = generation_from_json(first, second); good(generation)) {
    use(*generation);
  }
  if (const auto generation = generation_from_ct2(first); good(generation)) use(*generation);
  if (const auto check = quintet::accuracy_check_from_json(first); good(check)) {
    QT_CHECK(quintet::accuracy_check_from_json(accuracy_check_to_json(*check)).has_value());
  }
  return 0;
}
