// Tensors of GGUF files whose values are quantised in blocks: formats, values, 4-bit grids.
// Source: the structures and reference conversions of the ggml project (ggml-common.h,
// ggml-quants.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/core/tensor.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/kernels/gemv/int4.h"

namespace quintet::io {

// The formats have the names that ggml gives them.
// NOLINTNEXTLINE(readability-identifier-naming)
enum class BlockFormat : uint8_t { kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K };

// One format: blocks of `values` neighbours in a row lie in `bytes`.
struct BlockFormatInfo {
  BlockFormat format;
  std::string_view name;  // As in WeightFile::layouts: "q4_1".
  uint32_t ggml_type;     // Its number in a file.
  int64_t values;
  int64_t bytes;
};

const BlockFormatInfo& block_format_info(BlockFormat format);
// nullptr where there is none.
const BlockFormatInfo* block_format_by_type(uint32_t ggml_type);
// Bytes of a tensor; nullopt where a dimension is negative, the product does not fit, or the rows
// are not whole blocks.
std::optional<uint64_t> block_tensor_bytes(BlockFormat format, const Shape& shape);

struct BlockTensor {
  BlockFormat format = BlockFormat::kQ8_0;
  Shape shape;  // Of the values, row-major, not empty; the last dimension K is whole blocks.
  std::span<const std::byte> bytes;  // Checked: as many as format and shape need. Not aligned.
};

// The tensor `name` if it is quantised in blocks, nullopt if it is row-major.
// Errors: kNotFound; kUnsupported where it has another layout; kCorrupt where the layout does not
// fit its bytes.
Result<std::optional<BlockTensor>> block_tensor(const WeightFile& weights, std::string_view name);

// The values of some rows, in float32 exactly as the format defines them. out [rows, K].
// REQUIRES: the rows, counted over all dimensions but the last, lie inside.
void block_rows_to_f32(const BlockTensor& tensor, int64_t first_row, int64_t rows, float* out);

// Where 32 neighbours lie: value = minimum + step * q for integers q from 0 to 15, computed in
// float32, is exactly that of block_rows_to_f32. The step may be negative or 0.
using kernels::Int4Grid;

// The grids of some rows of Q4_0, Q4_1 and Q4_K; false, and nothing written, for other formats.
// out [rows, K / 32]. REQUIRES: as above.
bool block_int4_grids(const BlockTensor& tensor, int64_t first_row, int64_t rows, Int4Grid* out);

}  // namespace quintet::io
