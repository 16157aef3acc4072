#include "quintet/engine/nn/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "quintet/core/cpu.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::nn {
namespace {

using kernels::random_floats;
using kernels::WeightFormat;

// A layer with random weights, packed.
struct Layer {
  Layer(WeightFormat format, int64_t n, int64_t k)
      : weights(random_floats(n * k, 0.1f, 1)),
        bias(random_floats(n, 1, 2)),
        panels(static_cast<size_t>(kernels::packed_bytes(format, n, k))),
        scales(kernels::panel_count(n) * kernels::kPanelWidth) {
    kernels::pack_weights(format, matrix<const float>(weights.data(), n, k), panels.data(),
                          scales.data());
    linear.w = {.format = format, .n = n, .k = k, .panels = panels.data(), .scales = scales.data()};
    linear.bias = bias.data();
  }

  std::vector<float> weights;
  std::vector<float> bias;
  AlignedBytes panels;
  AlignedArray<float> scales;
  Linear linear;
};

float gelu(float x) { return 0.5f * x * (1 + std::erf(x / std::sqrt(2.0f))); }

// x W^T + b, activation, + y, with the weights as published.
std::vector<float> expected(const Layer& layer, const std::vector<float>& x, int64_t rows,
                            std::vector<float> y, const LinearOptions& options) {
  const auto& w = layer.linear.w;
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t n = 0; n < w.n; ++n) {
      double sum = layer.linear.bias == nullptr
                       ? 0
                       : static_cast<double>(layer.bias[static_cast<size_t>(n)]);
      for (int64_t k = 0; k < w.k; ++k) {
        sum += static_cast<double>(x[static_cast<size_t>(t * w.k + k)]) *
               static_cast<double>(layer.weights[static_cast<size_t>(n * w.k + k)]);
      }
      auto value = static_cast<float>(sum);
      if (options.activation == Activation::kGelu) value = gelu(value);
      float& to = y[static_cast<size_t>(t * w.n + n)];
      to = options.add ? to + value : value;
    }
  }
  return y;
}

struct Case {
  WeightFormat format;
  float tolerance;  // Of outputs with a deviation of about 1.5.
};

class LinearLayer : public testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void SetUp() override { set_active_isa(std::get<0>(GetParam())); }
  void TearDown() override { set_active_isa(before_); }

  WeightFormat format() const { return std::get<1>(GetParam()).format; }
  float tolerance() const { return std::get<1>(GetParam()).tolerance; }

  std::vector<float> run(const Layer& layer, std::vector<float> x, int64_t rows,
                         std::vector<float> y, const LinearOptions& options, bool fuse) {
    const auto& w = layer.linear.w;
    Runtime runtime{pool_, scratch_, fuse};
    linear(runtime, layer.linear, matrix<const float>(x.data(), rows, w.k),
           matrix(y.data(), rows, w.n), options);
    return y;
  }

  ThreadPool pool_{3};
  InputScratch scratch_{512, 512 * 128, 3, 128};

 private:
  Isa before_ = active_isa();
};

TEST_P(LinearLayer, EqualsAPlainLoopFusedAndNot) {
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{130, 67}, {64, 64}, {1, 5}}) {
    Layer layer(format(), n, k);
    for (const int64_t rows : {1, 7, 200}) {
      const auto x = random_floats(rows * k, 1, 3);
      const auto y = random_floats(rows * n, 1, 4);
      for (const bool add : {false, true}) {
        for (const Activation activation : {Activation::kNone, Activation::kGelu}) {
          for (const bool biased : {false, true}) {
            layer.linear.bias = biased ? layer.bias.data() : nullptr;
            const LinearOptions options{activation, add};
            const auto want = expected(layer, x, rows, y, options);
            const auto fused = run(layer, x, rows, y, options, true);
            const auto unfused = run(layer, x, rows, y, options, false);
            for (size_t i = 0; i < want.size(); ++i) {
              ASSERT_NEAR(fused[i], want[i], tolerance()) << n << " " << rows << " " << i;
              ASSERT_NEAR(unfused[i], fused[i], 1e-4f) << n << " " << rows << " " << i;
            }
          }
        }
      }
    }
  }
}

TEST_P(LinearLayer, ARowGivesTheSameBitsAloneAndAmongMany) {
  constexpr int64_t kRows = 300;  // Rows shared among threads; a few: channels shared.
  const Layer layer(format(), 200, 96);
  const auto x = random_floats(kRows * 96, 1, 5);
  const auto y = random_floats(kRows * 200, 1, 6);
  const LinearOptions options{Activation::kGelu, true};
  const auto all = run(layer, x, kRows, y, options, true);
  for (const int64_t row : {0, 1, 95, 96, 191, 299}) {
    for (const int64_t count : {1, 5}) {
      if (row + count > kRows) continue;
      const std::vector<float> some_x(x.begin() + row * 96, x.begin() + (row + count) * 96);
      const std::vector<float> some_y(y.begin() + row * 200, y.begin() + (row + count) * 200);
      const auto some = run(layer, some_x, count, some_y, options, true);
      EXPECT_EQ(std::memcmp(some.data(), all.data() + row * 200, some.size() * sizeof(float)), 0)
          << row << " " << count;
    }
  }
}

TEST_P(LinearLayer, ReadsOverlappingRowsAsConvolutionsDo) {
  constexpr int64_t kChannels = 20;
  constexpr int64_t kFrames = 250;
  const Layer layer(format(), 70, 3 * kChannels);
  const auto frames = random_floats((kFrames + 2) * kChannels, 1, 7);
  std::vector<float> unrolled;
  for (int64_t t = 0; t < kFrames; ++t) {
    unrolled.insert(unrolled.end(), frames.begin() + t * kChannels,
                    frames.begin() + (t + 3) * kChannels);
  }
  std::vector<float> y(static_cast<size_t>(kFrames * 70));
  Runtime runtime{pool_, scratch_};
  linear(runtime, layer.linear, {frames.data(), kFrames, 3 * kChannels, kChannels},
         matrix(y.data(), kFrames, int64_t{70}));
  EXPECT_EQ(y, run(layer, unrolled, kFrames, std::vector<float>(y.size()), {}, true));
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, LinearLayer,
                         testing::Combine(testing::ValuesIn(supported_isas()),
                                          testing::Values(Case{WeightFormat::kF32, 1e-4f},
                                                          Case{WeightFormat::kBF16, 0.03f},
                                                          Case{WeightFormat::kI8, 0.1f})),
                         [](const auto& test) {
                           const WeightFormat format = std::get<1>(test.param).format;
                           return std::string(isa_name(std::get<0>(test.param))) +
                                  (format == WeightFormat::kF32    ? "_f32"
                                   : format == WeightFormat::kBF16 ? "_bf16"
                                                                   : "_i8");
                         });

TEST(LinearWork, FollowsFromTheShapes) {
  const Layer layer(WeightFormat::kI8, 70, 60);
  const std::vector<float> x(200 * 60);
  const auto work = linear_work(layer.linear, matrix<const float>(x.data(), 200, 60));
  EXPECT_EQ(work.operations, 2.0 * 200 * 70 * 60);
  EXPECT_EQ(work.weight_bytes, 128 * 60);  // Two panels of 64 channels.
  EXPECT_EQ(work.activation_bytes, 4.0 * (200 * 60 + 200 * 70));
  EXPECT_EQ(work.arithmetic, DType::kI8);
  // Overlapping rows are read once; a residual is read and written.
  const auto conv = linear_work(layer.linear, {x.data(), 180, 60, 20}, {.add = true});
  EXPECT_EQ(conv.activation_bytes, 4.0 * (180 * 20 + 2 * 180 * 70));
}

TEST(LinearWork, IsRecordedUnderTheNameOfTheLayer) {
  Layer layer(WeightFormat::kF32, 70, 60);
  layer.linear.name = "fc1";
  const auto x = random_floats(5 * 60, 1, 1);
  std::vector<float> y(5 * 70);
  ThreadPool pool(2);
  InputScratch scratch(5, 5 * 60, 2, 64);
  trace::Recorder recorder(4);
  Runtime runtime{pool, scratch, true, &recorder};
  linear(runtime, layer.linear, matrix<const float>(x.data(), 5, 60), matrix(y.data(), 5, 70));
  ASSERT_EQ(recorder.spans().size(), 1u);
  const trace::Span& span = recorder.spans()[0];
  EXPECT_EQ(trace::path_of(recorder.spans(), 0, true), "fc1");
  EXPECT_EQ(span.threads, 2);
  EXPECT_EQ(span.work.operations, 2.0 * 5 * 70 * 60);
  EXPECT_EQ(span.work.arithmetic, DType::kF32);
}

TEST(Norm, EqualsAPlainLoopAlsoInPlace) {
  constexpr int64_t kRows = 75;
  constexpr int64_t kCols = 50;
  const auto gamma = random_floats(kCols, 1, 1);
  const auto beta = random_floats(kCols, 1, 2);
  std::vector<float> x = random_floats(kRows * kCols, 5, 3);
  std::vector<float> y(x.size());
  ThreadPool pool(2);
  InputScratch scratch(1, 1, 2, 1);
  Runtime runtime{pool, scratch};
  const Norm norm{.gamma = gamma.data(), .beta = beta.data()};
  apply_norm(runtime, norm, matrix<const float>(x.data(), kRows, kCols),
             matrix(y.data(), kRows, kCols));
  for (int64_t t = 0; t < kRows; ++t) {
    const float* row = x.data() + t * kCols;
    double mean = 0;
    double variance = 0;
    for (int64_t i = 0; i < kCols; ++i) mean += static_cast<double>(row[i]) / kCols;
    for (int64_t i = 0; i < kCols; ++i)
      variance += std::pow(static_cast<double>(row[i]) - mean, 2) / kCols;
    for (int64_t i = 0; i < kCols; ++i) {
      const double want = (static_cast<double>(row[i]) - mean) / std::sqrt(variance + 1e-5) *
                              static_cast<double>(gamma[static_cast<size_t>(i)]) +
                          static_cast<double>(beta[static_cast<size_t>(i)]);
      ASSERT_NEAR(static_cast<double>(y[static_cast<size_t>(t * kCols + i)]), want, 1e-5);
    }
  }
  apply_norm(runtime, norm, matrix<const float>(x.data(), kRows, kCols),
             matrix(x.data(), kRows, kCols));
  EXPECT_EQ(x, y);
}

}  // namespace
}  // namespace quintet::nn
