// Published weights as float32, whichever format they come in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/engine/weights/layer_spec.h"
#include "quintet/io/formats/gguf_blocks.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::weights {

// One layer of a Hugging Face, GGUF or CTranslate2 file, read in pieces.
// Threads: const methods are safe concurrently. The file must outlive it.
class PublishedLayer {
 public:
  // Errors: kCorrupt where a tensor is missing or has another shape than the configuration says.
  static Result<PublishedLayer> open(const io::WeightFile& file, const LayerSpec& spec);

  // Rows [first, first + count) of the weight, or of gamma; int8 is de-quantised.
  // Shapes: to [count, k] (convolutions: [count, channels, 3] as published).
  void read_rows(int64_t first, int64_t count, float* to) const;

  // Where the rows are 4-bit codes already: their grids, [count, ceil(k / 32)]; false, and nothing
  // written, where they are not.
  bool read_int4_grids(int64_t first, int64_t count, kernels::Int4Grid* to) const;

  // Bias [n], zero where the file has none; norms: beta. Empty for tables and embeddings.
  std::vector<float> bias() const;

  // Gives the memory back that rows [first, first + count) of the mapped file take.
  void release_rows(int64_t first, int64_t count) const;

 private:
  // Rows of the layer that stand in one tensor of the file.
  struct Part {
    TensorRef weight = {};
    std::optional<io::BlockTensor> blocks = {};  // The weight, where it is quantised in blocks.
    int64_t rows = 0;
    int64_t first_row = 0;  // In the tensor.
    int64_t interleaved_head = 0;
    std::optional<TensorRef> bias = {};
    std::vector<float> scales = {};  // Of int8 rows.

    int64_t file_row(int64_t row) const;
    void read_rows(int64_t first, int64_t count, int64_t columns, float* to) const;
    bool read_int4_grids(int64_t first, int64_t count, int64_t columns,
                         kernels::Int4Grid* to) const;
  };

  PublishedLayer(const io::WeightFile& file, const LayerSpec& spec, std::vector<Part> parts);
  static Result<std::vector<Part>> open_ct2(const io::WeightFile& file, const LayerSpec& spec);
  static Result<std::vector<Part>> open_parts(const io::WeightFile& file, const LayerSpec& spec,
                                              const std::vector<PublishedPart>& published);

  static Result<void> open_weight(const io::WeightFile& file, const std::string& name,
                                  const Shape& shape, Part& part);

  template <typename Visit>
  void for_each_part(int64_t first, int64_t count, Visit&& visit) const;

  const io::WeightFile* file_;
  bool has_bias_;
  float offset_;  // Added to every weight.
  int64_t columns_;
  std::vector<Part> parts_;
};

// One layer in float32.
struct DenseLayer {
  std::vector<float> weight;  // [n, k] (convolutions: [n, channels, 3] as published); norms: gamma
  std::vector<float> bias;    // [n], or empty; norms: beta
};

// All of layer `spec`. Errors: as PublishedLayer::open.
Result<DenseLayer> read_layer(const io::WeightFile& file, const LayerSpec& spec);

}  // namespace quintet::weights
