#include "quintet/kernels/gemm/gemm_ref.h"

#include <cmath>
#include <numbers>

#include "quintet/core/aligned.h"

namespace quintet::kernels {
namespace {

float gelu_ref(float x) {
  const auto v = static_cast<double>(x);
  return static_cast<float>(v * 0.5 * std::erfc(-v / std::numbers::sqrt2));
}

void finish_ref(float sum, int64_t i, int64_t n, const Epilogue& epilogue, MatrixView<float> y) {
  if (epilogue.bias != nullptr) sum += epilogue.bias[n];
  if (epilogue.gelu) sum = gelu_ref(sum);
  if (epilogue.residual != nullptr) sum += epilogue.residual[i * y.stride + n];
  y.row(i)[n] = sum;
}

float to_float(float x) { return x; }
float to_float(bf16 x) { return bf16_to_f32(x); }

template <typename T>
void gemm_float_ref(MatrixView<const T> x, const PackedWeights& w, const Epilogue& epilogue,
                    MatrixView<float> y) {
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t n = 0; n < w.n; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < w.k; ++k) {
        sum += static_cast<double>(to_float(x.row(i)[k])) *
               static_cast<double>(unpacked_weight(w, n, k));
      }
      finish_ref(static_cast<float>(sum), i, n, epilogue, y);
    }
  }
}

}  // namespace

void gemm_f32_ref(MatrixView<const float> x, const PackedWeights& w, const Epilogue& epilogue,
                  MatrixView<float> y) {
  gemm_float_ref(x, w, epilogue, y);
}

void gemm_bf16_ref(MatrixView<const bf16> x, const PackedWeights& w, const Epilogue& epilogue,
                   MatrixView<float> y) {
  gemm_float_ref(x, w, epilogue, y);
}

void gemm_i8_ref(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
                 MatrixView<float> y) {
  // The stored weights are read through a copy of the matrix whose scales are one.
  AlignedArray<float> ones(panel_count(w.n) * kPanelWidth);
  for (float& one : ones.span()) one = 1.0f;
  PackedWeights stored = w;
  stored.scales = ones.data();
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t n = 0; n < w.n; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < w.k; ++k) {
        sum += x.data[i * x.stride + k] * static_cast<int64_t>(unpacked_weight(stored, n, k));
      }
      const float scale = x.scales[i] * w.scales[n];
      finish_ref(static_cast<float>(sum) * scale, i, n, epilogue, y);
    }
  }
}

}  // namespace quintet::kernels
