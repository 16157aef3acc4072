// What describes a language model: config.json and generation_config.json, a NUL byte between them,
// or a GGUF file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/engine/models/language/config.h"
#include "quintet/engine/models/language/gguf_config.h"
#include "quintet/engine/models/language/layers.h"
#include "quintet/engine/models/language/rope_tables.h"
#include "quintet/io/formats/byte_cursor.h"
#include "quintet/io/formats/gguf.h"
#include "quintet/io/formats/gguf_metadata.h"

namespace quintet::language {
namespace {

using weights::LayerSpec;
using weights::PublishedPart;

// An error must be one line for people.
template <typename T>
bool good(const Result<T>& result) {
  if (result) return true;
  QT_CHECK(!result.error().message().empty());
  QT_CHECK(result.error().message().find('\n') == std::string::npos);
  return false;
}

// The parts are the rows of the layer, and lie inside their tensors.
void check_parts(const LayerSpec& spec, const std::vector<PublishedPart>& parts) {
  QT_CHECK(!parts.empty());
  int64_t rows = 0;
  for (const PublishedPart& part : parts) {
    const int64_t own = part.rows != 0 ? part.rows : spec.n / std::ssize(parts);
    if (part.tensor_rows != 0) QT_CHECK_LE(part.first_row + own, part.tensor_rows);
    if (part.interleaved_head != 0) QT_CHECK_EQ(own % part.interleaved_head, 0);
    rows += own;
  }
  QT_CHECK_EQ(rows, spec.n);
}

void use(const Config& config) {
  QT_CHECK(check_config(config).has_value());
  const auto again = config_from_json(config_to_json(config));
  QT_CHECK(again.has_value());
  QT_CHECK(*again == config);
  QT_CHECK_EQ(std::ssize(rope_frequencies(config.rope_theta, config.head_dim, config.rope_scaling)),
              config.head_dim / 2);
  Config small = config;  // One layer is as another.
  small.layers = std::min<int64_t>(config.layers, 2);
  const weights::Plan plan = default_plan(small, Precision::kInt4);
  std::set<std::string> names;
  for (const LayerSpec& spec : layer_specs(small)) {
    QT_CHECK(spec.n > 0 && spec.k > 0 && spec.n < (int64_t{1} << 40) / spec.k);
    QT_CHECK(names.insert(spec.name).second);
    QT_CHECK(!is_matrix(spec.kind) || plan.contains(spec.name));
    check_parts(spec, spec.hugging_face);
    check_parts(spec, spec.gguf);
  }
}

void use(const GenerationConfig& generation) {
  const std::string text = generation_to_json(generation);
  const auto again = generation_from_json("{}", text);
  QT_CHECK(again.has_value());
  QT_CHECK_EQ(generation_to_json(*again), text);
}

void use_gguf(std::span<const std::byte> bytes) {
  const auto file = io::parse_gguf(bytes, "input");
  io::ByteCursor in(bytes);
  const auto header = io::GgufHeader::read(in, "input");
  if (!file || !header) return;
  if (const auto config = config_from_gguf(*file, header->metadata); good(config)) use(*config);
  if (const auto generation = generation_from_gguf(header->metadata); good(generation)) {
    use(*generation);
  }
}

void use_json(std::string_view input) {
  const size_t end = input.find('\0');
  const std::string first(input.substr(0, end));
  const std::string second(end == std::string_view::npos ? "" : input.substr(end + 1));
  if (const auto config = config_from_json(first); good(config)) use(*config);
  if (const auto generation = generation_from_json(first, second); good(generation)) {
    use(*generation);
  }
}

}  // namespace
}  // namespace quintet::language

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with("GGUF")) {
    quintet::language::use_gguf(std::as_bytes(std::span(data, size)));
  } else {
    quintet::language::use_json(input);
  }
  return 0;
}
