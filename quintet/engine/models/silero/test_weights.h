// A model file with random weights, for tests and benchmarks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/engine/models/silero/weights.h"
#include "quintet/io/formats/weight_file.h"

namespace quintet::silero::testing {

class RandomFile {
 public:
  explicit RandomFile(uint32_t seed) {
    std::mt19937 engine(seed);
    file_.format = "safetensors";
    for (const TensorSpec& spec : tensor_specs()) {
      const int64_t count = element_count(spec.shape);
      // Sums over the inputs keep about the size of an input.
      std::normal_distribution<float> normal(
          0.0F, 1.0F / std::sqrt(static_cast<float>(count / spec.shape[0])));
      std::vector<float>& values = values_.emplace_back(static_cast<size_t>(count));
      for (float& x : values) x = normal(engine);
      if (spec.name == "stft_conv.weight") fill_transform(values);
      file_.tensors[std::string(spec.name)] = {DType::kF32, spec.shape,
                                               std::as_bytes(std::span(values))};
    }
  }

  io::WeightFile& file() { return file_; }
  // May be changed.
  std::vector<float>& values(std::string_view name) {
    const auto& specs = tensor_specs();
    const auto at = std::find_if(specs.begin(), specs.end(),
                                 [&](const TensorSpec& spec) { return spec.name == name; });
    return *std::next(values_.begin(), at - specs.begin());
  }

 private:
  static void fill_transform(std::vector<float>& basis) {
    for (int64_t k = 0; k < kBins; ++k) {
      for (int64_t n = 0; n < 256; ++n) {
        const double turn = 2.0 * std::numbers::pi / 256.0;
        const double window = 0.5 - 0.5 * std::cos(turn * static_cast<double>(n));
        const double angle = turn * static_cast<double>(k * n);
        basis[static_cast<size_t>(k * 256 + n)] = static_cast<float>(window * std::cos(angle));
        basis[static_cast<size_t>((kBins + k) * 256 + n)] =
            static_cast<float>(-window * std::sin(angle));
      }
    }
  }

  io::WeightFile file_;
  std::list<std::vector<float>> values_;
};

}  // namespace quintet::silero::testing
