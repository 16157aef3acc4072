// Magnitude spectrum of short frames of audio.
#pragma once

#include <cstdint>

#include "quintet/core/tensor.h"

namespace quintet::kernels {

inline constexpr int64_t kSpectrumSamples = 256;
inline constexpr int64_t kSpectrumBins = kSpectrumSamples / 2 + 1;

// y[i, k] = |sum over n of w[n] x[i, n] exp(-2 pi i k n / 256)|, w the periodic Hann window.
// Shapes: x [rows, 256], whose rows may overlap; y [rows, 129]. Single-threaded, no allocation.
// Numerics: float32; |error| <= 1e-6 * sum over n of |w[n] x[i, n]|. A row gives the same bits
// wherever it stands (on one instruction set).
void magnitude_spectrum(MatrixView<const float> x, MatrixView<float> y);

}  // namespace quintet::kernels
