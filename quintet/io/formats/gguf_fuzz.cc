#include <string>

#include "quintet/core/check.h"
#include "quintet/io/formats/fuzz_weights.h"
#include "quintet/io/formats/gguf.h"
#include "quintet/io/formats/gguf_blocks.h"
#include "quintet/io/formats/gguf_metadata.h"

namespace quintet::io {
namespace {

constexpr int64_t kMostValues = 1 << 16;

// Each field must be of a type that one of the accessors takes.
void use_metadata(std::span<const std::byte> bytes) {
  ByteCursor in(bytes);
  const auto header = GgufHeader::read(in, "input");
  if (!header) return;
  const GgufMetadata& metadata = header->metadata;
  for (const std::string_view key : metadata.keys()) {
    const bool readable =
        metadata.int_field(key).has_value() || metadata.number_field(key).has_value() ||
        metadata.bool_field(key).has_value() || metadata.string_field(key).has_value() ||
        metadata.string_list_field(key).has_value() || metadata.int_list_field(key).has_value() ||
        metadata.float_list_field(key).has_value();
    QT_CHECK(readable);
  }
  static_cast<void>(metadata.texts());
}

void use_blocks(const WeightFile& file) {
  for (const auto& [name, layout] : file.layouts) {
    const auto tensor = block_tensor(file, name);
    QT_CHECK(tensor.has_value() && tensor->has_value());
    const BlockTensor& blocks = **tensor;
    const int64_t values = element_count(blocks.shape);
    if (values == 0 || values > kMostValues) continue;
    const int64_t rows = values / blocks.shape.back();
    std::vector<float> out(static_cast<size_t>(values));
    block_rows_to_f32(blocks, 0, rows, out.data());
    std::vector<Int4Grid> grids(static_cast<size_t>(values / 32));
    block_int4_grids(blocks, 0, rows, grids.data());
  }
}

}  // namespace
}  // namespace quintet::io

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  quintet::io::use_metadata(bytes);
  if (const auto file = quintet::io::parse_gguf(bytes, "input")) {
    quintet::io::use_all_tensors(*file);
    quintet::io::use_blocks(*file);
  }
  return 0;
}
