// y = x W^T over 4-bit weights straight from the definition: what the tests compare gemm_i4 with.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "quintet/kernels/gemv/int4.h"

namespace quintet::kernels {

// Same contract as gemm_i4, for all columns; sums in double.
inline void gemm_i4_ref(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
                        MatrixView<float> y) {
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t n = 0; n < w.n; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < w.k; ++k) {
        sum += x.data[i * x.stride + k] * static_cast<double>(unpacked_weight_i4(w, n, k));
      }
      sum *= static_cast<double>(x.scales[i]);
      if (epilogue.bias != nullptr) sum += static_cast<double>(epilogue.bias[n]);
      if (epilogue.gelu) sum = sum * 0.5 * std::erfc(-sum / std::numbers::sqrt2);
      if (epilogue.residual != nullptr) {
        sum += static_cast<double>(epilogue.residual[i * y.stride + n]);
      }
      y.row(i)[n] = static_cast<float>(sum);
    }
  }
}

}  // namespace quintet::kernels
