// Whisper's text decoder over a self-attention cache and the packed output of the encoder.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/engine/decode/step_model.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/weights.h"
#include "quintet/engine/nn/attention.h"
#include "quintet/engine/nn/runtime.h"

namespace quintet::whisper {

// Sequences share the encoder output and, where they have a common past, their cache rows: a beam
// that changes its parent moves indices, not keys.
class Decoder final : public decode::StepModel {
 public:
  // For up to `max_sequences` sequences at a time. `cross`: format of the cross-attention cache.
  // `run`, `config` and `weights` must outlive the decoder.
  Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
          kernels::WeightFormat cross, int64_t max_sequences);

  // Computes the cross-attention keys and values of all layers. Shapes: audio [positions, D].
  void set_audio(MatrixView<const float> audio);

  int64_t vocabulary() const override { return config_.vocabulary; }
  int64_t max_tokens() const override { return config_.text_positions; }
  void start(std::span<const int32_t> prompt, MatrixView<float> logits) override;
  void step(std::span<const int32_t> parents, std::span<const int32_t> tokens,
            MatrixView<float> logits) override;

  // Runs `tokens` as one sequence and shows the cross-attention weights of every decoder layer.
  // Shapes: logits as in start.
  using CrossObserver = std::function<void(int64_t layer, int64_t head, int64_t first_query,
                                           MatrixView<const float> weights)>;
  void start_observed(std::span<const int32_t> tokens, MatrixView<float> logits,
                      const CrossObserver& observer);

  size_t cache_bytes() const;
  size_t activation_bytes() const;

 private:
  // One token to run: where it stands and which cache rows it attends to.
  struct Row {
    int32_t token;
    int64_t position;
    int64_t sequence;
  };

  void forward(std::span<const Row> rows, MatrixView<float> logits, const CrossObserver* observer);
  void embed(std::span<const Row> rows, MatrixView<float> x);
  // One head, for all rows, on the thread that owns `lane`.
  void self_attention(int64_t layer, int64_t lane, int64_t head, std::span<const Row> rows,
                      MatrixView<const float> qkv, MatrixView<float> out);
  int32_t& slot(int64_t sequence, int64_t position) {
    return slots_[static_cast<size_t>(sequence * config_.text_positions + position)];
  }
  float* cache_row(int64_t layer, int64_t slot, bool value);

  nn::Runtime& run_;
  const Config& config_;
  const Weights& weights_;
  int64_t max_sequences_;
  int64_t sequences_ = 0;
  int64_t length_ = 0;  // Tokens of every sequence: they grow together.

  std::vector<nn::PackedKeyValues> cross_;  // Per layer.
  AlignedArray<float> cross_kv_;            // [positions, 2 D]: before packing.
  nn::AttentionScratch cross_scratch_;
  // Self-attention cache: [layer][slot][key, value][D]; position p of a sequence lies in row
  // slot(sequence, p), which sequences with a common past share.
  AlignedArray<float> cache_;
  std::vector<int32_t> slots_;
  std::vector<int32_t> next_slots_;

  AlignedArray<float> x_;               // [rows, D]
  AlignedArray<float> h_;               // [rows, D]
  AlignedArray<float> wide_;            // [rows, max(3 D, ffn)]
  AlignedArray<float> scores_;          // [threads, text_positions]
  std::vector<const float*> pointers_;  // [threads, 2, text_positions]
};

}  // namespace quintet::whisper
