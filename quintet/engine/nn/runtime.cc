#include "quintet/engine/nn/runtime.h"

#include "quintet/core/check.h"

namespace quintet::nn {

using kernels::kInt4Group;
using kernels::padded_depth;
using kernels::WeightFormat;

InputScratch::InputScratch(int64_t max_rows, int64_t max_values, int64_t lanes, int64_t max_width)
    : data_(static_cast<size_t>(max_values) * sizeof(bf16)),
      scales_(max_rows),
      row_sums_(max_rows),
      group_sums_(max_values / kInt4Group + max_rows),
      lanes_(lanes),
      max_width_(padded_depth(WeightFormat::kI4, max_width)),
      lane_floats_(lanes * kFewRows * max_width_),
      lane_rows_(lanes * kFewRows * max_width_),
      lane_scales_(lanes * kFewRows),
      lane_sums_(lanes * kFewRows * (1 + max_width_ / kInt4Group)) {}

kernels::QuantizedRows InputScratch::quantized(WeightFormat format, int64_t rows, int64_t cols) {
  const int64_t stride = padded_depth(format, cols);
  QT_CHECK_LE(static_cast<size_t>(rows * stride), data_.size());
  QT_CHECK_LE(rows, scales_.size());
  kernels::QuantizedRows view = {reinterpret_cast<int8_t*>(data_.data()), rows, stride,
                                 scales_.data(), row_sums_.data()};
  if (format == WeightFormat::kI4) {
    QT_CHECK_LE(rows * view.group_stride(), group_sums_.size());
    view.group_sums = group_sums_.data();
  }
  return view;
}

MatrixView<bf16> InputScratch::converted(int64_t rows, int64_t cols) {
  const int64_t stride = padded_depth(WeightFormat::kBF16, cols);
  QT_CHECK_LE(static_cast<size_t>(rows * stride) * sizeof(bf16), data_.size());
  return {reinterpret_cast<bf16*>(data_.data()), rows, cols, stride};
}

kernels::QuantizedRows InputScratch::lane_quantized(int64_t lane, WeightFormat format, int64_t rows,
                                                    int64_t cols) {
  const auto place = lane_converted(lane, rows, cols);
  int32_t* sums = lane_sums_.data() + lane * kFewRows * (1 + max_width_ / kInt4Group);
  return {reinterpret_cast<int8_t*>(place.data),
          rows,
          padded_depth(format, cols),
          lane_scales_.data() + lane * kFewRows,
          sums,
          format == WeightFormat::kI4 ? sums + kFewRows : nullptr};
}

MatrixView<bf16> InputScratch::lane_converted(int64_t lane, int64_t rows, int64_t cols) {
  QT_CHECK(lane < lanes_ && rows <= kFewRows && cols <= max_width_);
  return {lane_rows_.data() + lane * kFewRows * max_width_, rows, cols,
          padded_depth(WeightFormat::kBF16, cols)};
}

MatrixView<float> InputScratch::lane_floats(int64_t lane, int64_t rows, int64_t cols) {
  QT_CHECK(lane < lanes_ && rows <= kFewRows && cols <= max_width_);
  return {lane_floats_.data() + lane * kFewRows * max_width_, rows, cols, cols};
}

size_t InputScratch::bytes() const {
  const auto words = scales_.size() + row_sums_.size() + group_sums_.size() + lane_floats_.size() +
                     lane_scales_.size() + lane_sums_.size();
  return data_.size() + static_cast<size_t>(words) * 4 +
         static_cast<size_t>(lane_rows_.size()) * sizeof(bf16);
}

}  // namespace quintet::nn
