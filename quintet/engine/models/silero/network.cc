#include "quintet/engine/models/silero/network.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/kernels/lstm/lstm.h"
#include "quintet/kernels/spectrum/spectrum.h"

namespace quintet::silero {
namespace {

using kernels::kSpectrumSamples;

constexpr int64_t kReflectedSamples = 64;
constexpr int64_t kPaddedSamples = kContextSamples + kChunkSamples + kReflectedSamples;
constexpr int64_t kHopSamples = 128;
constexpr int64_t kFrames = 4;
constexpr int64_t kGates = 4 * kHidden;
// Channels behind each convolution.
constexpr int64_t kConv1 = 128;
constexpr int64_t kConv2 = 64;
constexpr int64_t kConv3 = 64;
constexpr int64_t kConv4 = 128;

// Chunks that go through the convolutions together: 4 register tiles of 6 rows. Twice as many are
// no faster on one thread and leave the second waiting (voice_activity_bench, AMD EPYC, AVX-512).
constexpr int64_t kBlockChunks = 24;
// Chunks that are convolved while the cell goes through as many before them: 6 s.
constexpr int64_t kTurnChunks = 8 * kBlockChunks;

// Columns [first, first + cols) of each chunk's row, for all chunks of a block.
MatrixView<float> columns(AlignedArray<float>& block, int64_t chunks, int64_t row_length,
                          int64_t first, int64_t cols) {
  return {block.data() + first, chunks, cols, row_length};
}

void apply(const Layer& layer, MatrixView<const float> x, MatrixView<float> y) {
  kernels::gemm_f32(x, layer.weights, {.bias = layer.bias.data()}, y, 0,
                    kernels::panel_count(layer.weights.n));
}

void relu(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = std::max(x[i], 0.0F);
}

// Activations of one block, a row for each chunk.
struct BlockScratch {
  AlignedArray<float> samples{kBlockChunks * kPaddedSamples};
  AlignedArray<float> magnitudes{kBlockChunks * kFrames * kBins};
  AlignedArray<float> conv1{kBlockChunks * 4 * kConv1};
  AlignedArray<float> conv2{kBlockChunks * 2 * kConv2};
  AlignedArray<float> conv3{kBlockChunks * kConv3};
  AlignedArray<float> conv4{kBlockChunks * kConv4};
};

// samples: the context of the first chunk, then the chunks.
void spectra(const float* samples, int64_t chunks, BlockScratch& s) {
  for (int64_t i = 0; i < chunks; ++i) {
    float* padded = s.samples.data() + i * kPaddedSamples;
    float* end = std::copy_n(samples + i * kChunkSamples, kContextSamples + kChunkSamples, padded);
    for (int64_t j = 0; j < kReflectedSamples; ++j) end[j] = end[-2 - j];
  }
  for (int64_t t = 0; t < kFrames; ++t) {
    kernels::magnitude_spectrum(
        columns(s.samples, chunks, kPaddedSamples, t * kHopSamples, kSpectrumSamples),
        columns(s.magnitudes, chunks, kFrames * kBins, t * kBins, kBins));
  }
}

// gates [chunks, 512]: what the cell adds its own output to.
void convolve(const Weights& w, int64_t chunks, BlockScratch& s, MatrixView<float> gates) {
  const auto spectrum = [&](int64_t first, int64_t count) {
    return columns(s.magnitudes, chunks, kFrames * kBins, first * kBins, count * kBins);
  };
  const auto conv1 = [&](int64_t first, int64_t count) {
    return columns(s.conv1, chunks, kFrames * kConv1, first * kConv1, count * kConv1);
  };
  const auto conv2 = [&](int64_t first, int64_t count) {
    return columns(s.conv2, chunks, 2 * kConv2, first * kConv2, count * kConv2);
  };
  apply(w.conv1_first, spectrum(0, 2), conv1(0, 1));
  apply(w.conv1_middle, spectrum(0, 3), conv1(1, 1));
  apply(w.conv1_middle, spectrum(1, 3), conv1(2, 1));
  apply(w.conv1_last, spectrum(2, 2), conv1(3, 1));
  relu(s.conv1.data(), chunks * kFrames * kConv1);
  apply(w.conv2_first, conv1(0, 2), conv2(0, 1));
  apply(w.conv2_last, conv1(1, 3), conv2(1, 1));
  relu(s.conv2.data(), chunks * 2 * kConv2);
  const MatrixView<float> conv3 = matrix(s.conv3.data(), chunks, kConv3);
  apply(w.conv3, conv2(0, 2), conv3);
  relu(s.conv3.data(), chunks * kConv3);
  const MatrixView<float> conv4 = matrix(s.conv4.data(), chunks, kConv4);
  apply(w.conv4, conv3, conv4);
  relu(s.conv4.data(), chunks * kConv4);
  apply(w.gates, conv4, gates);
}

// Chunk after chunk; the outputs of the cell go to hidden [chunks, 128]. Overwrites the gates.
void recur(const Layer& recurrent, MatrixView<float> gates, CellState& state,
           MatrixView<float> hidden) {
  const float* before = state.hidden.data();
  for (int64_t i = 0; i < gates.rows; ++i) {
    const MatrixView<float> row = gates.rows_from(i, 1);
    kernels::gemm_f32(matrix(before, 1, kHidden), recurrent.weights, {.residual = row.data}, row, 0,
                      kernels::panel_count(kGates));
    kernels::lstm_cell(row.data, kHidden, state.cell.data(), hidden.row(i));
    before = hidden.row(i);
  }
  std::copy_n(before, kHidden, state.hidden.data());
}

// From gates to probabilities [chunks]. Overwrites the gates; hidden [chunks, 128] is scratch.
void finish(const Weights& w, MatrixView<float> gates, CellState& state, MatrixView<float> hidden,
            float* probabilities) {
  recur(w.recurrent, gates, state, hidden);
  relu(hidden.data, hidden.rows * kHidden);
  apply(w.head, hidden, matrix(probabilities, hidden.rows, 1));
  for (int64_t i = 0; i < hidden.rows; ++i) {
    probabilities[i] = 1.0F / (1.0F + std::exp(-probabilities[i]));
  }
}

}  // namespace

Result<Network> Network::load(const std::filesystem::path& file_or_folder) {
  QT_TRY(const io::WeightFile file, io::read_weights(file_or_folder));
  QT_TRY(Weights weights, read_weights(file).with(file_or_folder.string()));
  return Network(std::move(weights));
}

void Network::run(std::span<const float> samples, CellState& state, ThreadPool& pool,
                  std::span<float> probabilities) const {
  const int64_t total = std::ssize(probabilities);
  QT_CHECK_EQ(std::ssize(samples), kContextSamples + total * kChunkSamples);
  const int64_t room = std::min(total, kTurnChunks);
  const int64_t turns = (total + kTurnChunks - 1) / kTurnChunks;
  std::array<AlignedArray<float>, 2> gates;  // Of this turn and of the one before.
  for (int64_t i = 0; i < std::min<int64_t>(turns, 2); ++i) {
    gates[static_cast<size_t>(i)] = AlignedArray<float>(room * kGates);
  }
  AlignedArray<float> hidden(room * kHidden);
  std::vector<BlockScratch> scratch(static_cast<size_t>(
      std::min<int64_t>(pool.threads(), 1 + (room + kBlockChunks - 1) / kBlockChunks)));
  const auto chunks_of = [&](int64_t turn) {
    return std::clamp<int64_t>(total - turn * kTurnChunks, 0, kTurnChunks);
  };
  const auto gates_of = [&](int64_t turn) {
    return matrix(gates[static_cast<size_t>(turn % 2)].data(), chunks_of(turn), kGates);
  };
  // While one thread follows the cell through a turn, the others convolve the next one.
  for (int64_t turn = 0; turn <= turns; ++turn) {
    const int64_t blocks = (chunks_of(turn) + kBlockChunks - 1) / kBlockChunks;
    pool.parallel_for_lanes(blocks + 1, [&](int64_t lane, int64_t item) {
      if (item == 0) {
        if (turn == 0) return;
        const int64_t first = (turn - 1) * kTurnChunks;
        finish(weights_, gates_of(turn - 1), state,
               matrix(hidden.data(), chunks_of(turn - 1), kHidden), probabilities.data() + first);
        return;
      }
      const int64_t at = (item - 1) * kBlockChunks;
      const int64_t count = std::min(kBlockChunks, chunks_of(turn) - at);
      BlockScratch& s = scratch[static_cast<size_t>(lane)];
      spectra(samples.data() + (turn * kTurnChunks + at) * kChunkSamples, count, s);
      convolve(weights_, count, s, gates_of(turn).rows_from(at, count));
    });
  }
}

}  // namespace quintet::silero
