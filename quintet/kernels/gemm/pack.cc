#include <cstring>
#include <vector>

#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemv/int4.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::kernels {
namespace {

// Converts row n of w into the 32-bit words of its channel, group by group.
class RowWords {
 public:
  RowWords(WeightFormat format, int64_t k)
      : format_(format),
        k_(k),
        words_(static_cast<size_t>(panel_bytes(format, k) / kPanelLineBytes)) {}

  // `scale` is written for int8.
  const std::vector<uint32_t>& convert(const float* row, float* scale) {
    switch (format_) {
      case WeightFormat::kF32:
        std::memcpy(words_.data(), row, static_cast<size_t>(k_) * sizeof(float));
        break;
      case WeightFormat::kBF16:
        convert_rows({row, 1, k_, k_},
                     {reinterpret_cast<bf16*>(words_.data()), 1, k_, padded_depth(format_, k_)});
        break;
      case WeightFormat::kI8: quantize(row, scale); break;
      case WeightFormat::kI4: break;  // Packed elsewhere.
    }
    return words_;
  }

 private:
  void quantize(const float* row, float* scale) {
    auto* bytes = reinterpret_cast<int8_t*>(words_.data());
    int32_t row_sum = 0;
    quantize_rows({row, 1, k_, k_}, {bytes, 1, padded_depth(format_, k_), scale, &row_sum});
    // Adds 128 to every byte. Those past K stay zero, as the layout says.
    for (int64_t k = 0; k < k_; ++k) bytes[k] = static_cast<int8_t>(bytes[k] ^ 0x80);
  }

  WeightFormat format_;
  int64_t k_;
  std::vector<uint32_t> words_;
};

}  // namespace

void pack_weights(WeightFormat format, MatrixView<const float> w, std::byte* panels,
                  float* scales) {
  if (format == WeightFormat::kI4) return pack_weights_i4(w, nullptr, panels);
  RowWords converter(format, w.cols);
  const int64_t channels = panel_count(w.rows) * kPanelWidth;
  for (int64_t n = 0; n < channels; ++n) {
    float scale = 0;
    std::byte* word = panels + n / kPanelWidth * panel_bytes(format, w.cols) + n % kPanelWidth * 4;
    if (n < w.rows) {
      for (const uint32_t value : converter.convert(w.row(n), &scale)) {
        std::memcpy(word, &value, sizeof value);
        word += kPanelLineBytes;
      }
    } else {
      for (int64_t k = 0; k < padded_depth(format, w.cols); k += group_size(format)) {
        std::memset(word, 0, 4);
        word += kPanelLineBytes;
      }
    }
    if (format == WeightFormat::kI8) scales[n] = scale;
  }
}

float unpacked_weight(const PackedWeights& w, int64_t n, int64_t k) {
  if (w.format == WeightFormat::kI4) return unpacked_weight_i4(w, n, k);
  const int64_t g = group_size(w.format);
  const std::byte* at =
      w.panel(n / kPanelWidth) + k / g * kPanelLineBytes + n % kPanelWidth * 4 + k % g * (4 / g);
  switch (w.format) {
    case WeightFormat::kF32: {
      float value = 0;
      std::memcpy(&value, at, sizeof value);
      return value;
    }
    case WeightFormat::kBF16: {
      bf16 value{};
      std::memcpy(&value, at, sizeof value);
      return bf16_to_f32(value);
    }
    case WeightFormat::kI8:
      return static_cast<float>(std::to_integer<int>(*at) - 128) * w.scales[n];
    case WeightFormat::kI4: break;
  }
  return 0;
}

}  // namespace quintet::kernels
