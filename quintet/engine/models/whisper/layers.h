// Every weight of a Whisper model: our name, its shape, and its name in each published format.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quintet/engine/models/whisper/config.h"

namespace quintet::whisper {

enum class LayerKind : uint8_t {
  kLinear,     // weight [n, k], bias [n]
  kConv,       // weight [n, k / 3, 3] as published, used as [n, 3 * (k / 3)], bias [n]
  kEmbedding,  // weight [n, k]: token embedding and, transposed, output head
  kNorm,       // gamma [n], beta [n]
  kTable,      // float32 [n, k]: positions
};

// Whether a kernel multiplies with it; the others stay float32 tables.
constexpr bool is_matrix(LayerKind kind) {
  return kind == LayerKind::kLinear || kind == LayerKind::kConv || kind == LayerKind::kEmbedding;
}

struct LayerSpec {
  LayerKind kind;
  std::string name;  // "decoder.layers.3.cross_kv"
  int64_t n;
  int64_t k;  // 1 for norms.
  // Stem in CTranslate2 files ("decoder/layer_3/attention/linear_1"), and stems in Hugging Face
  // files, whose weights are stacked along n in this order.
  std::string ct2;
  std::vector<std::string> hugging_face;
  // Rows [0, query_rows) are queries; packing multiplies them by query_scale = 1 / sqrt(head size).
  int64_t query_rows = 0;
  float query_scale = 1;
  std::string norm = {};  // The norm whose output is the input; empty: another input.
};

// In the order of the forward pass.
std::vector<LayerSpec> layer_specs(const Config& config);

}  // namespace quintet::whisper
