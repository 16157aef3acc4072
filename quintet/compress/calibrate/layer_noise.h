// How much noise int8 adds to the output of every layer, on real inputs.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/engine/models/whisper/model.h"
#include "quintet/engine/nn/runtime.h"
#include "quintet/kernels/gemv/row_weights.h"

namespace quintet::compress {

// Watches a float32 model run and computes, for some of the rows that go into each layer, the
// output again with int8 weights and inputs.
class LayerNoise final : public nn::LinearObserver {
 public:
  // `exact`: the float32 model that runs; `quantized`: the same weights, every matrix at int8.
  // Both must outlive it.
  LayerNoise(const whisper::Model& exact, const whisper::PackedModel& quantized);

  void see(const nn::Linear& layer, MatrixView<const float> x) override;

  // Power of the output over power of the error, in decibels, of every layer that was seen. The
  // bias counts as neither. Layers without any error have the largest value, kNoNoise; those whose
  // output is lost in it, or is no number, the smallest.
  static constexpr double kNoNoise = 200;
  static constexpr double kOnlyNoise = -200;
  std::map<std::string, double> snr_db() const;

 private:
  struct Layer {
    std::string name;
    kernels::PackedWeights exact;
    kernels::PackedWeights quantized;
    kernels::RowWeights quantized_rows;  // Instead, of the output head.
    int64_t rows_seen = 0;
    double signal = 0;
    double noise = 0;
  };

  void add(Layer& layer, MatrixView<const float> x);

  std::unordered_map<const std::byte*, Layer> layers_;  // By the panels of the exact weights.
  AlignedArray<float> input_;
  AlignedArray<int8_t> quantized_input_;
  AlignedArray<float> output_;
  AlignedArray<float> quantized_output_;
};

}  // namespace quintet::compress
