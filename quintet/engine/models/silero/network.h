// Silero VAD at 16 kHz: the probability that a chunk of 512 samples holds speech.
//
//   64 samples of context, the chunk, its last 64 by reflection  [640]
//   magnitude spectra of 256 samples, 128 apart                  [4, 129]
//   4 convolutions over 3 neighbours, each followed by ReLU      [4, 128] [2, 64] [1, 64] [1, 128]
//   LSTM cell, whose state goes from chunk to chunk              [128]
//   ReLU, linear, sigmoid                                        [1]
//
// All but the cell is computed for many chunks at once.
// Source: silero-vad 6.2.3 (MIT), tinygrad_model.py.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>

#include "quintet/core/result.h"
#include "quintet/core/thread_pool.h"
#include "quintet/engine/models/silero/weights.h"

namespace quintet::silero {

inline constexpr int64_t kChunkSamples = 512;
inline constexpr int64_t kContextSamples = 64;

struct CellState {  // What the cell remembers; zero before the first chunk.
  alignas(64) std::array<float, kHidden> hidden{};
  alignas(64) std::array<float, kHidden> cell{};
};

// Threads: const methods may be called from several threads at once.
class Network {
 public:
  explicit Network(Weights weights) : weights_(std::move(weights)) {}
  // A folder with model.safetensors, or such a file.
  // Errors: those of io::read_weights and read_weights; all name the path.
  static Result<Network> load(const std::filesystem::path& file_or_folder);

  // Probabilities of consecutive chunks; `state` goes on from call to call.
  // Shapes: samples [64 + 512 * probabilities.size()], in [-1, 1]: the context of the first chunk
  // (zeros at the beginning of a recording), then the chunks.
  // The numbers do not depend on how the chunks are shared out among calls or threads.
  void run(std::span<const float> samples, CellState& state, ThreadPool& pool,
           std::span<float> probabilities) const;

 private:
  Weights weights_;
};

}  // namespace quintet::silero
