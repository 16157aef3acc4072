// Weights of Silero VAD, packed for the matrix kernels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/result.h"
#include "quintet/core/tensor.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::silero {

inline constexpr int64_t kBins = 129;    // Of the magnitude spectrum: input channels.
inline constexpr int64_t kHidden = 128;  // Of the recurrent cell.

// Every tensor of the file, in float32, with its name there.
struct TensorSpec {
  std::string_view name;
  Shape shape;
};
const std::vector<TensorSpec>& tensor_specs();

// y = x W^T + bias, with W [N, K] in panels of its own.
struct Layer {
  Layer() = default;
  Layer(MatrixView<const float> w, std::vector<float> layer_bias);

  AlignedBytes panels;
  kernels::PackedWeights weights;
  std::vector<float> bias;
};

// A convolution over three neighbouring frames as matrices over frames that lie side by side:
// where the frame before or after does not exist, its taps are left out.
struct Weights {
  Layer conv1_first, conv1_middle, conv1_last;  // 129 -> 128 channels; 4 frames of a chunk.
  Layer conv2_first, conv2_last;                // 128 -> 64, stride 2: 2 frames.
  Layer conv3;                                  // 64 -> 64, stride 2: 1 frame, the first 2 inputs.
  Layer conv4;                                  // 64 -> 128: the middle tap alone.
  Layer gates;                                  // Input [128] -> i, f, g, o of the cell [512].
  Layer recurrent;                              // The cell's output [128] -> the same, no bias.
  Layer head;                                   // [128] -> 1.
};

// Errors: kCorrupt where a tensor is missing or has another shape; kUnsupported where the fixed
// transform of the file is not the one that kernels/spectrum computes.
Result<Weights> read_weights(const io::WeightFile& file);

}  // namespace quintet::silero
