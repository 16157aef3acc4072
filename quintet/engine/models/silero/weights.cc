#include "quintet/engine/models/silero/weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "quintet/core/check.h"
#include "quintet/kernels/spectrum/spectrum.h"

namespace quintet::silero {
namespace {

using kernels::kSpectrumSamples;

constexpr int64_t kTaps = 3;

Result<std::vector<float>> read_tensor(const io::WeightFile& file, std::string_view name) {
  const std::vector<TensorSpec>& specs = tensor_specs();
  const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& candidate) {
    return candidate.name == name;
  });
  QT_CHECK(spec != specs.end());
  const std::string where = "tensor " + std::string(name);
  const TensorRef* tensor = file.find(name);
  if (tensor == nullptr) return Error(Code::kCorrupt, where + " is missing");
  if (tensor->shape != spec->shape) {
    return Error(Code::kCorrupt, where + " has shape " + shape_string(tensor->shape) +
                                     ", expected " + shape_string(spec->shape));
  }
  QT_TRY(std::vector<float> values, io::to_f32(*tensor).with(where));
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    return Error(Code::kCorrupt, where + " holds a value that is not finite");
  }
  return values;
}

struct DenseLayer {
  std::vector<float> weight;
  std::vector<float> bias;
};

Result<DenseLayer> read_layer(const io::WeightFile& file, const std::string& name) {
  DenseLayer layer;
  QT_TRY(layer.weight, read_tensor(file, name + ".weight"));
  QT_TRY(layer.bias, read_tensor(file, name + ".bias"));
  return layer;
}

// Taps [first, last) of a convolution published as [outputs, inputs, 3], as [outputs, taps,
// inputs].
Layer taps_of(const DenseLayer& conv, int64_t inputs, int64_t first, int64_t last) {
  const auto outputs = std::ssize(conv.bias);
  const int64_t depth = (last - first) * inputs;
  std::vector<float> w(static_cast<size_t>(outputs * depth));
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t t = first; t < last; ++t) {
        w[static_cast<size_t>(o * depth + (t - first) * inputs + i)] =
            conv.weight[static_cast<size_t>((o * inputs + i) * kTaps + t)];
      }
    }
  }
  return Layer(matrix<const float>(w.data(), outputs, depth), conv.bias);
}

// The file holds the short-time Fourier transform as a convolution: 129 rows of cosines, then 129
// of sines, under a Hann window.
Result<void> check_transform(const std::vector<float>& basis) {
  for (int64_t k = 0; k < kBins; ++k) {
    for (int64_t n = 0; n < kSpectrumSamples; ++n) {
      const double turn = 2.0 * std::numbers::pi / static_cast<double>(kSpectrumSamples);
      const double window = 0.5 - 0.5 * std::cos(turn * static_cast<double>(n));
      const double angle = turn * static_cast<double>(k * n % kSpectrumSamples);
      const auto at = [&](int64_t row) {
        return static_cast<double>(basis[static_cast<size_t>(row * kSpectrumSamples + n)]);
      };
      if (std::abs(at(k) - window * std::cos(angle)) > 1e-5 ||
          std::abs(at(kBins + k) + window * std::sin(angle)) > 1e-5) {
        return Error(Code::kUnsupported,
                     "tensor stft_conv.weight is not a Fourier transform of 256 samples under a "
                     "Hann window, the only one that this version knows");
      }
    }
  }
  return {};
}

Result<void> read_cell(const io::WeightFile& file, Weights& weights) {
  QT_TRY(const std::vector<float> input, read_tensor(file, "lstm_cell.weight_ih"));
  QT_TRY(const std::vector<float> recurrent, read_tensor(file, "lstm_cell.weight_hh"));
  QT_TRY(std::vector<float> bias, read_tensor(file, "lstm_cell.bias_ih"));
  QT_TRY(const std::vector<float> second_bias, read_tensor(file, "lstm_cell.bias_hh"));
  for (size_t i = 0; i < bias.size(); ++i) bias[i] += second_bias[i];
  weights.gates = Layer(matrix(input.data(), 4 * kHidden, kHidden), std::move(bias));
  weights.recurrent = Layer(matrix(recurrent.data(), 4 * kHidden, kHidden), {});
  return {};
}

}  // namespace

const std::vector<TensorSpec>& tensor_specs() {
  static const std::vector<TensorSpec> specs = {
      {"stft_conv.weight", {2 * kBins, 1, kSpectrumSamples}},
      {"conv1.weight", {128, kBins, kTaps}},
      {"conv1.bias", {128}},
      {"conv2.weight", {64, 128, kTaps}},
      {"conv2.bias", {64}},
      {"conv3.weight", {64, 64, kTaps}},
      {"conv3.bias", {64}},
      {"conv4.weight", {128, 64, kTaps}},
      {"conv4.bias", {128}},
      {"lstm_cell.weight_ih", {4 * kHidden, kHidden}},
      {"lstm_cell.weight_hh", {4 * kHidden, kHidden}},
      {"lstm_cell.bias_ih", {4 * kHidden}},
      {"lstm_cell.bias_hh", {4 * kHidden}},
      {"final_conv.weight", {1, kHidden, 1}},
      {"final_conv.bias", {1}},
  };
  return specs;
}

Layer::Layer(MatrixView<const float> w, std::vector<float> layer_bias)
    : panels(
          static_cast<size_t>(kernels::packed_bytes(kernels::WeightFormat::kF32, w.rows, w.cols))),
      weights{
          .format = kernels::WeightFormat::kF32, .n = w.rows, .k = w.cols, .panels = panels.data()},
      bias(std::move(layer_bias)) {
  kernels::pack_weights(kernels::WeightFormat::kF32, w, panels.data(), nullptr);
}

Result<Weights> read_weights(const io::WeightFile& file) {
  QT_TRY(const std::vector<float> basis, read_tensor(file, "stft_conv.weight"));
  QT_TRY_VOID(check_transform(basis));
  Weights weights;
  QT_TRY(const DenseLayer conv1, read_layer(file, "conv1"));
  weights.conv1_first = taps_of(conv1, kBins, 1, 3);
  weights.conv1_middle = taps_of(conv1, kBins, 0, 3);
  weights.conv1_last = taps_of(conv1, kBins, 0, 2);
  QT_TRY(const DenseLayer conv2, read_layer(file, "conv2"));
  weights.conv2_first = taps_of(conv2, 128, 1, 3);
  weights.conv2_last = taps_of(conv2, 128, 0, 3);
  QT_TRY(const DenseLayer conv3, read_layer(file, "conv3"));
  weights.conv3 = taps_of(conv3, 64, 1, 3);
  QT_TRY(const DenseLayer conv4, read_layer(file, "conv4"));
  weights.conv4 = taps_of(conv4, 64, 1, 2);
  QT_TRY_VOID(read_cell(file, weights));
  QT_TRY(DenseLayer head, read_layer(file, "final_conv"));
  weights.head = Layer(matrix<const float>(head.weight.data(), 1, kHidden), std::move(head.bias));
  return weights;
}

}  // namespace quintet::silero
