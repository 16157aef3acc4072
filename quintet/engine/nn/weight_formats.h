// What a matrix consists of in each format: the panels that the kernels read, and the tensors
// beside them. A new format begins in kernels/gemm/gemm.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/tensor.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemv/int4.h"

namespace quintet::nn {

// "fp32", "bf16", "int8", "int4".
std::string_view weight_format_name(kernels::WeightFormat format);
std::optional<kernels::WeightFormat> weight_format_from_name(std::string_view name);

struct StoredTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;

  int64_t bytes() const { return element_count(shape) * dtype_bytes(dtype); }
};

// The tensors of the matrix `name` [n, k]: "<name>.panels", then what the format has beside it.
std::vector<StoredTensor> stored_tensors(const std::string& name, kernels::WeightFormat format,
                                         int64_t n, int64_t k);

// The matrix whose stored_tensors lie at `data`, one pointer each.
kernels::PackedWeights stored_weights(kernels::WeightFormat format, int64_t n, int64_t k,
                                      std::span<const std::byte* const> data);

// What pack_weights_i4 takes beside the weights. Null: not known.
struct PackHints {
  const float* importance = nullptr;         // Mean squares of the inputs, [k].
  const kernels::Int4Grid* grids = nullptr;  // Of the rows at hand, [rows, ceil(k / 32)].
};

// Packs rows [64 panel, 64 panel + w.rows) of a matrix into its stored_tensors at `data`.
// Shapes: w [up to 64, k]. Threads: panels may be packed at the same time.
void pack_panel(kernels::WeightFormat format, int64_t panel, MatrixView<const float> w,
                const PackHints& hints, std::span<std::byte* const> data);

}  // namespace quintet::nn
