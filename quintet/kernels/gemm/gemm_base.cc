// The kernels in portable C++: for processors without AVX2 and outside x86.
#include <bit>
#include <cstring>
#include <type_traits>

#include "quintet/kernels/activation/activation.h"
#include "quintet/kernels/gemm/gemm_kernels.h"

namespace quintet::kernels::internal {
namespace {

// Channels summed at a time: few enough for their sums to stay in registers.
constexpr int64_t kColumns = 16;

template <WeightFormat format>
using Sum = std::conditional_t<format == WeightFormat::kI8, int32_t, float>;

// One 32-bit word of weights times one of x, added to `sum` in rising order of k.
template <WeightFormat format>
Sum<format> add_products(Sum<format> sum, uint32_t w, uint32_t x) {
  if constexpr (format == WeightFormat::kF32) {
    return sum + std::bit_cast<float>(w) * std::bit_cast<float>(x);
  } else if constexpr (format == WeightFormat::kBF16) {
    sum += std::bit_cast<float>(w << 16) * std::bit_cast<float>(x << 16);
    return sum + std::bit_cast<float>(w & 0xffff0000u) * std::bit_cast<float>(x & 0xffff0000u);
  } else {
    for (int shift = 0; shift < 32; shift += 8) {
      const auto wk = static_cast<int32_t>((w >> shift) & 0xffu);
      sum += wk * static_cast<int8_t>((x >> shift) & 0xffu);
    }
    return sum;
  }
}

// Weights unsigned and x signed, or the other way round.
enum class Signs { kSignedX, kUnsignedX };

template <WeightFormat format, int rows, Signs signs = Signs::kSignedX>
void tile_base(const void* x, int64_t x_stride, const std::byte* panel, int64_t groups,
               void* tile) {
  const auto* x_bytes = static_cast<const std::byte*>(x);
  auto* out = static_cast<std::byte*>(tile);
  for (int64_t column = 0; column < kPanelWidth; column += kColumns) {
    for (int64_t r = 0; r < rows; ++r) {
      std::array<Sum<format>, kColumns> sums{};
      std::array<uint32_t, kColumns> w{};
      for (int64_t g = 0; g < groups; ++g) {
        uint32_t x_word = 0;
        std::memcpy(&x_word, x_bytes + r * x_stride + g * 4, 4);
        std::memcpy(w.data(), panel + g * kPanelLineBytes + column * 4, sizeof w);
        for (size_t c = 0; c < w.size(); ++c) {
          sums[c] = signs == Signs::kSignedX ? add_products<format>(sums[c], w[c], x_word)
                                             : add_products<format>(sums[c], x_word, w[c]);
        }
      }
      std::memcpy(out + (r * kPanelWidth + column) * 4, sums.data(), sizeof sums);
    }
  }
}

template <bool quantized>
void finish_base(void* tile, int64_t rows, const TileOutput& out) {
  for (int64_t r = 0; r < rows; ++r) {
    std::array<float, kPanelWidth> v{};
    std::memcpy(v.data(), static_cast<std::byte*>(tile) + r * kPanelLineBytes, sizeof v);
    if constexpr (quantized) {
      for (int64_t c = 0; c < out.columns; ++c) {
        float& sum = v[static_cast<size_t>(c)];
        const int32_t exact = std::bit_cast<int32_t>(sum) - 128 * out.x_row_sums[r];
        sum = static_cast<float>(exact) * (out.x_scales[r] * out.w_scales[c]);
      }
    }
    if (out.bias != nullptr) {
      for (int64_t c = 0; c < out.columns; ++c) v[static_cast<size_t>(c)] += out.bias[c];
    }
    if (out.gelu) gelu(v.data(), out.columns);
    const float* residual = out.residual == nullptr ? nullptr : out.residual + r * out.y_stride;
    if (residual != nullptr) {
      for (int64_t c = 0; c < out.columns; ++c) v[static_cast<size_t>(c)] += residual[c];
    }
    std::memcpy(out.y + r * out.y_stride, v.data(), static_cast<size_t>(out.columns) * 4);
  }
}

template <WeightFormat format>
constexpr GemmKernels kernels_base(std::string_view name) {
  return {name,
          {tile_base<format, 1>, tile_base<format, 2>, tile_base<format, 3>, tile_base<format, 4>,
           tile_base<format, 5>, tile_base<format, 6>},
          nullptr,
          finish_base<format == WeightFormat::kI8>};
}

}  // namespace

const GemmKernels& gemm_kernels_base(WeightFormat format) {
  static constexpr std::array kTables = {kernels_base<WeightFormat::kF32>("f32 base"),
                                         kernels_base<WeightFormat::kBF16>("bf16 base"),
                                         kernels_base<WeightFormat::kI8>("i8 base")};
  return kTables[static_cast<size_t>(format)];
}

const UnsignedTiles& unsigned_tiles_base() {
  constexpr auto kI8 = WeightFormat::kI8;
  static constexpr UnsignedTiles kTiles = {
      tile_base<kI8, 1, Signs::kUnsignedX>, tile_base<kI8, 2, Signs::kUnsignedX>,
      tile_base<kI8, 3, Signs::kUnsignedX>, tile_base<kI8, 4, Signs::kUnsignedX>,
      tile_base<kI8, 5, Signs::kUnsignedX>, tile_base<kI8, 6, Signs::kUnsignedX>};
  return kTiles;
}

}  // namespace quintet::kernels::internal
