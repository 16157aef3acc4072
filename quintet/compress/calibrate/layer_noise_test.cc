#include "quintet/compress/calibrate/layer_noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "quintet/engine/models/whisper/test_model.h"

namespace quintet::compress {
namespace {

using kernels::WeightFormat;
using whisper::testing::tiny_config;
using whisper::testing::tiny_folder;

class LayerNoiseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    exact_ = whisper::load_model(tiny_folder(), Precision::kF32, pool_).value();
    whisper::Plan plan = whisper::default_plan(tiny_config(), Precision::kInt8);
    for (auto& [name, choice] : plan) choice = {WeightFormat::kI8, "a test"};
    quantized_ =
        weights::pack_model(io::read_weights(tiny_folder()).value(),
                            whisper::layer_specs(tiny_config()), Precision::kInt8, plan, pool_)
            .value();
  }

  ThreadPool pool_{2};
  std::unique_ptr<whisper::Model> exact_;
  whisper::PackedModel quantized_;
};

// The definition, in double: sum of squares of x W^T over that of its difference to the product of
// the rounded values.
double snr_by_definition(const kernels::PackedWeights& exact, const kernels::PackedWeights& rounded,
                         MatrixView<const float> x) {
  double signal = 0;
  double noise = 0;
  for (int64_t t = 0; t < x.rows; ++t) {
    float top = 0;
    for (int64_t k = 0; k < x.cols; ++k) top = std::max(top, std::abs(x.row(t)[k]));
    for (int64_t n = 0; n < exact.n; ++n) {
      double y = 0;
      double y8 = 0;
      for (int64_t k = 0; k < x.cols; ++k) {
        const double step = double{top} / 127;
        y += double{x.row(t)[k]} * double{kernels::unpacked_weight(exact, n, k)};
        y8 += std::nearbyint(double{x.row(t)[k]} / step) * step *
              double{kernels::unpacked_weight(rounded, n, k)};
      }
      signal += y * y;
      noise += (y8 - y) * (y8 - y);
    }
  }
  return 10 * std::log10(signal / noise);
}

TEST_F(LayerNoiseTest, IsThePowerOfTheOutputOverThatOfTheError) {
  const nn::Linear& layer = exact_->weights.encoder[0].fc1;
  LayerNoise noise(*exact_, quantized_);
  std::vector<float> x(static_cast<size_t>(layer.w.k));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i * i));
  const auto row = matrix(static_cast<const float*>(x.data()), 1, layer.w.k);
  noise.see(layer, row);
  const whisper::Weights rounded = whisper::bind_weights(quantized_, tiny_config()).value();
  const auto measured = noise.snr_db();
  ASSERT_EQ(measured.size(), 1u);
  // Ties of rounding may fall otherwise in float than in double: a step in one of k inputs.
  EXPECT_NEAR(measured.at("encoder.layers.0.fc1"),
              snr_by_definition(layer.w, rounded.encoder[0].fc1.w, row), 0.5);
}

// Inputs that are all as large as the largest are exact at int8, those far below it are not: what
// calibration on real inputs is for.
TEST_F(LayerNoiseTest, IsLargerWhereTheInputsOfARowDifferMuch) {
  const nn::Linear& layer = exact_->weights.encoder[1].qkv;
  const auto snr_of = [&](auto&& value) {
    LayerNoise noise(*exact_, quantized_);
    std::vector<float> x(static_cast<size_t>(16 * layer.w.k));
    for (size_t i = 0; i < x.size(); ++i) x[i] = value(static_cast<int64_t>(i) % layer.w.k);
    noise.see(layer, matrix(static_cast<const float*>(x.data()), 16, layer.w.k));
    return noise.snr_db().at("encoder.layers.1.qkv");
  };
  // 0.02 is 2.54 steps of 1 / 127 and becomes 3 of them: of a signal of 1 + 63 * 0.02^2 an error of
  // 63 * (0.46 / 127)^2 is 31 dB, while rounded weights alone leave 40 dB and more.
  const double even = snr_of([](int64_t k) { return k % 3 == 0 ? -1.0f : 1.0f; });
  const double uneven = snr_of([](int64_t k) { return k == 0 ? 1.0f : 0.02f; });
  EXPECT_GT(even, 38);
  EXPECT_LT(uneven, 36);
}

TEST_F(LayerNoiseTest, IsTotalWhereTheOutputIsNoNumber) {
  const nn::Linear& layer = exact_->weights.encoder[0].fc1;
  LayerNoise noise(*exact_, quantized_);
  const std::vector<float> x(static_cast<size_t>(layer.w.k), std::nanf(""));
  noise.see(layer, matrix(x.data(), 1, layer.w.k));
  EXPECT_EQ(noise.snr_db().at("encoder.layers.0.fc1"), LayerNoise::kOnlyNoise);
}

TEST_F(LayerNoiseTest, OfAWholeRunHasEveryMatrix) {
  LayerNoise noise(*exact_, quantized_);
  exact_->observer = &noise;
  whisper::testing::logits_of(*exact_, pool_, /*baseline=*/true);
  const auto snr = noise.snr_db();
  EXPECT_EQ(snr.size(), exact_->packed.plan.size());
  for (const auto& [name, db] : snr) {
    // 127 steps to either side leave 20 dB even where values are large and small at once.
    EXPECT_GT(db, 20) << name;
    EXPECT_LT(db, 60) << name;
  }
}

}  // namespace
}  // namespace quintet::compress
