// Views of tensors that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/dtype.h"

namespace quintet {

using Shape = std::vector<int64_t>;

// "[512, 80, 3]".
std::string shape_string(const Shape& shape);

// Number of elements, or -1 where a dimension is negative or the product does not fit.
int64_t element_count(const Shape& shape);

// A tensor inside a file: row-major, little-endian, possibly not aligned for its type.
struct TensorRef {
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;
};

// Row-major matrix, `stride` elements from row to row. Rows may overlap (stride < cols) where it is
// only read: that is how convolutions read their window.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  T* row(int64_t i) const { return data + i * stride; }
  MatrixView rows_from(int64_t first, int64_t count) const {
    return {row(first), count, cols, stride};
  }
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }
};

template <typename T>
MatrixView<T> matrix(T* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols};
}

}  // namespace quintet
