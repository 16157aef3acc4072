#include "quintet/engine/models/silero/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "quintet/core/cpu.h"
#include "quintet/engine/models/silero/test_weights.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::silero {
namespace {

using ::testing::HasSubstr;
using testing::RandomFile;

std::vector<float> random_samples(int64_t chunks, uint32_t seed) {
  return kernels::random_floats(kContextSamples + chunks * kChunkSamples, 0.1F, seed);
}

std::vector<float> run(const Network& network, std::span<const float> samples, int threads) {
  ThreadPool pool(threads);
  CellState state;
  std::vector<float> out(samples.size() / kChunkSamples);
  network.run(samples, state, pool, out);
  return out;
}

// The published network in double, written down layer by layer.
class Reference {
 public:
  explicit Reference(RandomFile& file) : file_(file) {}

  double next(const float* samples) {  // The context and one chunk.
    std::vector<double> x(samples, samples + kContextSamples + kChunkSamples);
    for (int64_t i = 0; i < 64; ++i) x.push_back(x[static_cast<size_t>(574 - i)]);
    Frames frames =
        conv(conv(conv(conv(spectra(x), "conv1", 1), "conv2", 2), "conv3", 2), "conv4", 1);
    EXPECT_EQ(frames.size(), 1U);
    const std::vector<double> hidden = cell(frames[0]);
    double sum = static_cast<double>(file_.values("final_conv.bias")[0]);
    for (size_t i = 0; i < kHidden; ++i) {
      sum += std::max(hidden[i], 0.0) * static_cast<double>(file_.values("final_conv.weight")[i]);
    }
    return sigmoid(sum);
  }

 private:
  using Frames = std::vector<std::vector<double>>;  // [frames][channels]

  static double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

  Frames spectra(const std::vector<double>& x) {
    const std::vector<float>& basis = file_.values("stft_conv.weight");
    Frames out;
    for (size_t begin = 0; begin + 256 <= x.size(); begin += 128) {
      std::vector<double> frame;
      for (size_t k = 0; k < kBins; ++k) {
        double re = 0;
        double im = 0;
        for (size_t n = 0; n < 256; ++n) {
          re += x[begin + n] * static_cast<double>(basis[k * 256 + n]);
          im += x[begin + n] * static_cast<double>(basis[(kBins + k) * 256 + n]);
        }
        frame.push_back(std::hypot(re, im));
      }
      out.push_back(frame);
    }
    return out;
  }

  Frames conv(const Frames& x, const std::string& name, size_t stride) {
    const std::vector<float>& w = file_.values(name + ".weight");
    const std::vector<float>& bias = file_.values(name + ".bias");
    const size_t inputs = x[0].size();
    Frames out;
    for (size_t t = 0; t < x.size(); t += stride) {
      std::vector<double> frame;
      for (size_t o = 0; o < bias.size(); ++o) {
        double sum = static_cast<double>(bias[o]);
        for (size_t tap = 0; tap < 3; ++tap) {
          if (t + tap < 1 || t + tap - 1 >= x.size()) continue;
          for (size_t i = 0; i < inputs; ++i) {
            sum += x[t + tap - 1][i] * static_cast<double>(w[(o * inputs + i) * 3 + tap]);
          }
        }
        frame.push_back(std::max(sum, 0.0));
      }
      out.push_back(frame);
    }
    return out;
  }

  std::vector<double> cell(const std::vector<double>& x) {
    std::vector<double> gates;
    for (size_t g = 0; g < 4 * kHidden; ++g) {
      double sum = static_cast<double>(file_.values("lstm_cell.bias_ih")[g]) +
                   static_cast<double>(file_.values("lstm_cell.bias_hh")[g]);
      for (size_t i = 0; i < kHidden; ++i) {
        sum += x[i] * static_cast<double>(file_.values("lstm_cell.weight_ih")[g * kHidden + i]);
        sum += h_[i] * static_cast<double>(file_.values("lstm_cell.weight_hh")[g * kHidden + i]);
      }
      gates.push_back(sum);
    }
    for (size_t i = 0; i < kHidden; ++i) {
      c_[i] = sigmoid(gates[kHidden + i]) * c_[i] +
              sigmoid(gates[i]) * std::tanh(gates[2 * kHidden + i]);
      h_[i] = sigmoid(gates[3 * kHidden + i]) * std::tanh(c_[i]);
    }
    return h_;
  }

  RandomFile& file_;
  std::vector<double> h_ = std::vector<double>(kHidden);
  std::vector<double> c_ = std::vector<double>(kHidden);
};

TEST(SileroNetwork, EqualsReferenceOnEveryInstructionSet) {
  RandomFile file(1);
  const Network network(read_weights(file.file()).value());
  constexpr int64_t kChunks = 101;  // Blocks and a rest.
  const std::vector<float> samples = random_samples(kChunks, 2);
  Reference reference(file);
  std::vector<double> expected;
  for (int64_t i = 0; i < kChunks; ++i) {
    expected.push_back(reference.next(samples.data() + i * kChunkSamples));
  }
  EXPECT_GT(*std::max_element(expected.begin(), expected.end()) -
                *std::min_element(expected.begin(), expected.end()),
            0.01);
  const Isa before = active_isa();
  for (const Isa isa : supported_isas()) {
    set_active_isa(isa);
    const std::vector<float> p = run(network, samples, 2);
    // Sums of 387 products of about 1 in float32 leave some 1e-6 a layer; seven layers.
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(p[i]), expected[i], 1e-5) << isa_name(isa) << ", " << i;
    }
  }
  set_active_isa(before);
}

TEST(SileroNetwork, SameBitsHoweverTheChunksAreSharedOut) {
  RandomFile file(3);
  const Network network(read_weights(file.file()).value());
  constexpr int64_t kChunks = 1100;  // Several turns of the cell.
  const std::vector<float> samples = random_samples(kChunks, 4);
  const std::vector<float> whole = run(network, samples, 1);
  EXPECT_EQ(run(network, samples, 3), whole);
  ThreadPool pool(2);
  CellState state;
  std::vector<float> pieces(whole.size());
  const std::span<float> out(pieces);
  int64_t at = 0;
  for (const int64_t count : {1, 0, 47, 5, 481, 49, 517}) {
    network.run(std::span<const float>(samples).subspan(
                    static_cast<size_t>(at * kChunkSamples),
                    static_cast<size_t>(kContextSamples + count * kChunkSamples)),
                state, pool, out.subspan(static_cast<size_t>(at), static_cast<size_t>(count)));
    at += count;
  }
  ASSERT_EQ(at, kChunks);
  EXPECT_EQ(pieces, whole);
}

TEST(SileroNetwork, ConcurrentRunsGiveTheSame) {
  RandomFile file(5);
  const Network network(read_weights(file.file()).value());
  const std::vector<float> samples = random_samples(200, 6);
  const std::vector<float> expected = run(network, samples, 1);
  ThreadPool pool(2);
  std::vector<std::vector<float>> results(3, std::vector<float>(200));
  std::vector<std::thread> threads;
  for (std::vector<float>& result : results) {
    threads.emplace_back([&] {
      CellState state;
      network.run(samples, state, pool, result);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& result : results) EXPECT_EQ(result, expected);
}

void expect_error(RandomFile& file, Code code, const char* what) {
  const auto weights = read_weights(file.file());
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().code(), code);
  EXPECT_THAT(weights.error().message(), HasSubstr(what));
}

TEST(SileroWeights, EveryTensorIsNeeded) {
  for (const TensorSpec& spec : tensor_specs()) {
    RandomFile file(7);
    file.file().tensors.erase(std::string(spec.name));
    expect_error(file, Code::kCorrupt, (std::string(spec.name) + " is missing").c_str());
  }
}

TEST(SileroWeights, OtherShapesAreRefused) {
  RandomFile file(8);
  file.file().tensors["conv2.weight"].shape = {128, 64, 3};
  expect_error(file, Code::kCorrupt,
               "tensor conv2.weight has shape [128, 64, 3], expected [64, 128, 3]");
}

TEST(SileroWeights, ValuesThatAreNotFiniteAreRefused) {
  RandomFile file(9);
  file.values("lstm_cell.bias_hh")[17] = std::numeric_limits<float>::quiet_NaN();
  expect_error(file, Code::kCorrupt, "tensor lstm_cell.bias_hh");
}

TEST(SileroWeights, AnotherTransformIsRefused) {
  RandomFile file(10);
  file.values("stft_conv.weight")[256 * 129 + 300] += 1e-3F;
  expect_error(file, Code::kUnsupported, "stft_conv.weight");
}

}  // namespace
}  // namespace quintet::silero
