#include "quintet/kernels/spectrum/spectrum.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "quintet/core/check.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/vec/f32x16.h"
#include "quintet/kernels/vec/f32x4.h"
#include "quintet/kernels/vec/f32x8.h"
#include "quintet/kernels/vec/select.h"

namespace quintet::kernels {
namespace {

constexpr int64_t kHalf = kSpectrumSamples / 2;  // 256 real values travel as 128 complex ones.

struct Turn {  // cos and sin of an angle.
  float cos;
  float sin;
};

struct SpectrumTables {
  std::array<float, kSpectrumSamples> window;  // Half of the Hann window.
  std::array<Turn, kSpectrumSamples> turns;    // Of 2 pi k / 256.
};

using SpectrumKernel = void (*)(const SpectrumTables& tables, MatrixView<const float> x,
                                MatrixView<float> y);

// Where value n stands before the first step: its digits to the bases 4, 4, 4 and 2 reversed.
constexpr int64_t start_place(int64_t n) {
  return n % 4 * 32 + n / 4 % 4 * 8 + n / 16 % 4 * 2 + n / 64;
}

const SpectrumTables& spectrum_tables() {
  static const SpectrumTables tables = [] {
    SpectrumTables made;
    for (size_t k = 0; k < made.turns.size(); ++k) {
      const double angle =
          2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(kSpectrumSamples);
      made.turns[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
      made.window[k] = static_cast<float>(0.25 - 0.25 * std::cos(angle));
    }
    return made;
  }();
  return tables;
}

}  // namespace
}  // namespace quintet::kernels

#define QT_KERNEL_SOURCE "quintet/kernels/spectrum/spectrum_kernel.inc"
#include "quintet/kernels/vec/every_variant.inc"

namespace quintet::kernels {

void magnitude_spectrum(MatrixView<const float> x, MatrixView<float> y) {
  QT_DCHECK(x.cols == kSpectrumSamples && y.cols == kSpectrumBins && x.rows == y.rows);
  variant_for(active_isa(), f32x4::kKernel, f32x8::kKernel, f32x16::kKernel)(spectrum_tables(), x,
                                                                             y);
}

}  // namespace quintet::kernels
