#include "quintet/compress/calibrate/layer_noise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quintet/core/check.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::compress {
namespace {

using kernels::WeightFormat;

// One row in so many is enough: an encoder layer sees 1,500 rows a window that are much alike.
constexpr int64_t kEvery = 8;
// Of one call at most so many: the rest of the time is the model's own.
constexpr int64_t kMostRows = 16;

std::vector<const std::byte*> find_tensors(const whisper::PackedModel& model,
                                           const whisper::LayerSpec& spec, WeightFormat format) {
  QT_CHECK(model.plan.at(spec.name).format == format);
  std::vector<const std::byte*> data;
  for (const nn::StoredTensor& tensor : weights::layer_tensors(spec, format)) {
    const TensorRef* found = model.tensors.find(tensor.name);
    QT_CHECK(found != nullptr);
    data.push_back(found->bytes.data());
  }
  return data;
}

}  // namespace

LayerNoise::LayerNoise(const whisper::Model& exact, const whisper::PackedModel& quantized) {
  int64_t widest_input = 0;
  int64_t widest_output = 0;
  for (const whisper::LayerSpec& spec : whisper::layer_specs(exact.config)) {
    if (!whisper::is_matrix(spec.kind)) continue;
    const auto floats = find_tensors(exact.packed, spec, WeightFormat::kF32);
    const auto bytes = find_tensors(quantized, spec, WeightFormat::kI8);
    Layer layer;
    layer.name = spec.name;
    layer.exact = nn::stored_weights(WeightFormat::kF32, spec.n, spec.k, floats);
    if (spec.kind == whisper::LayerKind::kEmbedding) {
      layer.quantized_rows = nn::stored_head(WeightFormat::kI8, spec.n, spec.k, bytes).exact;
    } else {
      layer.quantized = nn::stored_weights(WeightFormat::kI8, spec.n, spec.k, bytes);
    }
    widest_input = std::max(widest_input, kernels::padded_depth(WeightFormat::kI8, spec.k));
    widest_output = std::max(widest_output, spec.n);
    layers_.emplace(layer.exact.panels, std::move(layer));
  }
  input_ = AlignedArray<float>(kMostRows * widest_input);
  quantized_input_ = AlignedArray<int8_t>(kMostRows * widest_input);
  output_ = AlignedArray<float>(kMostRows * widest_output);
  quantized_output_ = AlignedArray<float>(kMostRows * widest_output);
}

void LayerNoise::see(const nn::Linear& linear, MatrixView<const float> x) {
  const auto found = layers_.find(linear.w.panels);
  QT_CHECK(found != layers_.end());
  Layer& layer = found->second;
  const int64_t first = (kEvery - layer.rows_seen % kEvery) % kEvery;
  const int64_t step = std::max(kEvery, (x.rows + kMostRows - 1) / kMostRows);
  const auto rows = matrix(input_.data(), kMostRows, x.cols);
  int64_t count = 0;
  for (int64_t row = first; row < x.rows; row += step) {
    std::copy_n(x.row(row), x.cols, rows.row(count++));
  }
  layer.rows_seen += x.rows;
  if (count > 0) add(layer, rows.rows_from(0, count));
}

void LayerNoise::add(Layer& layer, MatrixView<const float> x) {
  std::array<float, kMostRows> scales;
  std::array<int32_t, kMostRows> row_sums;
  const kernels::QuantizedRows quantized = {quantized_input_.data(), x.rows,
                                            kernels::padded_depth(WeightFormat::kI8, x.cols),
                                            scales.data(), row_sums.data()};
  kernels::quantize_rows(x, quantized);
  const auto exact = matrix(output_.data(), x.rows, layer.exact.n);
  const auto noisy = matrix(quantized_output_.data(), x.rows, layer.exact.n);
  const int64_t panels = kernels::panel_count(layer.exact.n);
  kernels::gemm_f32(x, layer.exact, {}, exact, 0, panels);
  if (layer.quantized_rows.rows != nullptr) {
    kernels::multiply_all_rows(quantized, layer.quantized_rows, noisy, 0, layer.exact.n);
  } else {
    kernels::gemm_i8(quantized, layer.quantized, {}, noisy, 0, panels);
  }
  for (int64_t i = 0; i < exact.rows * exact.cols; ++i) {
    const auto y = static_cast<double>(exact.data[i]);
    const double error = static_cast<double>(noisy.data[i]) - y;
    layer.signal += y * y;
    layer.noise += error * error;
  }
}

std::map<std::string, double> LayerNoise::snr_db() const {
  std::map<std::string, double> out;
  for (const auto& [panels, layer] : layers_) {
    if (layer.rows_seen == 0) continue;
    const double db = 10 * std::log10(layer.signal / layer.noise);
    out[layer.name] = layer.noise == 0  ? kNoNoise
                      : db > kOnlyNoise ? std::min(db, kNoNoise)
                                        : kOnlyNoise;  // Also what is no number.
  }
  return out;
}

}  // namespace quintet::compress
