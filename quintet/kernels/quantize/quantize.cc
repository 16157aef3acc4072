#include "quintet/kernels/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quintet/core/check.h"
#include "quintet/kernels/quantize/quantize_kernels.h"

namespace quintet::kernels {
namespace internal {
namespace {

float max_abs_base(const float* x, int64_t n) {
  float result = 0;
  for (int64_t i = 0; i < n; ++i) result = std::max(result, std::fabs(x[i]));
  return result;
}

int32_t quantize_base(const float* x, int64_t n, float inverse_scale, int8_t* q) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    q[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse_scale));
    sum += q[i];
  }
  return sum;
}

void f32_to_bf16_base(const float* x, bf16* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = bf16_from_f32(x[i]);
}

void bf16_to_f32_base(const bf16* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = bf16_to_f32(x[i]);
}

void f16_to_f32_base(const uint16_t* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = f16_to_f32(x[i]);
}

}  // namespace

const QuantizeKernels& quantize_kernels_base() {
  static constexpr QuantizeKernels kKernels = {"base",           max_abs_base,     quantize_base,
                                               f32_to_bf16_base, bf16_to_f32_base, f16_to_f32_base};
  return kKernels;
}

const QuantizeKernels& quantize_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return quantize_kernels_avx512();
  if (isa >= Isa::kAvx2) return quantize_kernels_avx2();
#else
  static_cast<void>(isa);
#endif
  return quantize_kernels_base();
}

}  // namespace internal

namespace {

void sum_groups(const int8_t* row, int64_t groups, int32_t* sums) {
  for (int64_t g = 0; g < groups; ++g) {
    int32_t sum = 0;
    for (int64_t k = 0; k < kInt4Group; ++k) sum += row[g * kInt4Group + k];
    sums[g] = sum;
  }
}

}  // namespace

void quantize_rows(MatrixView<const float> x, const QuantizedRows& q) {
  const bool grouped = q.group_sums != nullptr;
  const int64_t padded = padded_depth(grouped ? WeightFormat::kI4 : WeightFormat::kI8, x.cols);
  QT_DCHECK(q.rows == x.rows && q.stride >= padded);
  const internal::QuantizeKernels& kernels = internal::quantize_kernels(active_isa());
  for (int64_t i = 0; i < x.rows; ++i) {
    const float max_abs = kernels.max_abs(x.row(i), x.cols);
    const float inverse_scale = 127.0f / max_abs;
    int8_t* row = q.data + i * q.stride;
    if (std::isinf(inverse_scale)) {
      // A zero row, or one below 4e-37, which counts as zero: its inverse is out of range.
      std::memset(row, 0, static_cast<size_t>(padded));
      q.scales[i] = 0;
      q.row_sums[i] = 0;
      if (grouped) std::fill_n(q.group_sums + i * q.group_stride(), padded / kInt4Group, 0);
      continue;
    }
    q.scales[i] = max_abs / 127.0f;
    q.row_sums[i] = kernels.quantize(x.row(i), x.cols, inverse_scale, row);
    std::memset(row + x.cols, 0, static_cast<size_t>(padded - x.cols));
    if (grouped) sum_groups(row, padded / kInt4Group, q.group_sums + i * q.group_stride());
  }
}

void convert_rows(MatrixView<const float> x, MatrixView<bf16> y) {
  const int64_t padded = padded_depth(WeightFormat::kBF16, x.cols);
  QT_DCHECK(y.rows == x.rows && y.stride >= padded);
  const internal::QuantizeKernels& kernels = internal::quantize_kernels(active_isa());
  for (int64_t i = 0; i < x.rows; ++i) {
    kernels.f32_to_bf16(x.row(i), y.row(i), x.cols);
    for (int64_t k = x.cols; k < padded; ++k) y.row(i)[k] = bf16{0};
  }
}

void bf16_to_f32_array(const bf16* x, float* y, int64_t n) {
  internal::quantize_kernels(active_isa()).bf16_to_f32(x, y, n);
}

void f16_to_f32_array(const uint16_t* x, float* y, int64_t n) {
  internal::quantize_kernels(active_isa()).f16_to_f32(x, y, n);
}

}  // namespace quintet::kernels
