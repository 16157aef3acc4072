#include "quintet/engine/nn/runtime.h"

#include "quintet/core/check.h"

namespace quintet::nn {

using kernels::padded_depth;
using kernels::WeightFormat;

InputScratch::InputScratch(int64_t max_rows, int64_t max_values)
    : data_(static_cast<size_t>(max_values) * sizeof(bf16)),
      scales_(max_rows),
      row_sums_(max_rows) {}

kernels::QuantizedRows InputScratch::quantized(int64_t rows, int64_t cols) {
  const int64_t stride = padded_depth(WeightFormat::kI8, cols);
  QT_CHECK_LE(static_cast<size_t>(rows * stride), data_.size());
  QT_CHECK_LE(rows, scales_.size());
  return {reinterpret_cast<int8_t*>(data_.data()), rows, stride, scales_.data(), row_sums_.data()};
}

MatrixView<bf16> InputScratch::converted(int64_t rows, int64_t cols) {
  const int64_t stride = padded_depth(WeightFormat::kBF16, cols);
  QT_CHECK_LE(static_cast<size_t>(rows * stride) * sizeof(bf16), data_.size());
  return {reinterpret_cast<bf16*>(data_.data()), rows, cols, stride};
}

size_t InputScratch::bytes() const {
  return data_.size() + static_cast<size_t>(scales_.size()) * (sizeof(float) + sizeof(int32_t));
}

}  // namespace quintet::nn
