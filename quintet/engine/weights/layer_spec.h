// One layer of a model: our name, its shape, and its names in each published format.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace quintet::weights {

enum class LayerKind : uint8_t {
  kLinear,     // weight [n, k], bias [n]
  kConv,       // weight [n, k / 3, 3] as published, used as [n, 3 * (k / 3)], bias [n]
  kEmbedding,  // weight [n, k]: output head, and token embedding too where both are one
  kLookup,     // weight [n, k]: token embedding alone
  kNorm,       // gamma [n], beta [n]
  kTable,      // float32 [n, k]: positions
};

// Whether it has a format of its own; the others stay float32 tables.
constexpr bool is_matrix(LayerKind kind) {
  return kind != LayerKind::kNorm && kind != LayerKind::kTable;
}

// Rows of a layer that stand in one tensor of a file.
struct PublishedPart {
  PublishedPart(const char* name) : stem(name) {}
  PublishedPart(std::string name) : stem(std::move(name)) {}
  PublishedPart(std::string name, int64_t row_count) : stem(std::move(name)), rows(row_count) {}

  std::string stem;         // The tensor is "<stem>.weight"; of a table, the stem itself.
  int64_t rows = 0;         // 0: an equal share of the layer's.
  int64_t first_row = 0;    // Where they begin in the tensor,
  int64_t tensor_rows = 0;  // which has so many; 0: no others.
  // Rows of heads whose halves the file has interleaved: row 2 i of a head is i of the first half,
  // row 2 i + 1 i of the second. The size of a head; 0: as used.
  int64_t interleaved_head = 0;
};

struct LayerSpec {
  LayerKind kind;
  std::string name;  // "decoder.layers.3.cross_kv"
  int64_t n;
  int64_t k;  // 1 for norms.
  // Stem in CTranslate2 files ("decoder/layer_3/attention/linear_1"), and the parts that are
  // stacked along n in Hugging Face and GGUF files.
  std::string ct2;
  std::vector<PublishedPart> hugging_face;
  // Rows [0, query_rows) are queries; packing multiplies them by query_scale = 1 / sqrt(head size).
  int64_t query_rows = 0;
  float query_scale = 1;
  std::string norm = {};  // The norm whose output is the input; empty: another input.
  std::vector<PublishedPart> gguf = {};
  bool has_bias = true;           // Linear layers, convolutions and norms. Others have none.
  float hugging_face_offset = 0;  // Added to gamma where a file stores its distance from it.
};

// Whether a layer of `spec` has a bias or a beta.
inline bool has_bias(const LayerSpec& spec) {
  return spec.has_bias && (spec.kind == LayerKind::kLinear || spec.kind == LayerKind::kConv ||
                           spec.kind == LayerKind::kNorm);
}

}  // namespace quintet::weights
