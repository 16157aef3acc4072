// Whisper's text decoder: sequences over the packed outputs of the encoder for several windows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/engine/decode/step_model.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/weights.h"
#include "quintet/engine/nn/attention.h"
#include "quintet/engine/nn/key_value_rows.h"
#include "quintet/engine/nn/runtime.h"

namespace quintet::whisper {

class EncodedWindow;

// Windows come and go, and sequences over them begin and end, independently of each other; memory
// is taken as they need it and kept for the next ones. Sequences with a common past share its cache
// rows: a beam that changes its parent moves indices, not keys.
class Decoder final : public decode::StepModel {
 public:
  // `cross`: format of the cross-attention cache. `run`, `config` and `weights` must outlive the
  // decoder.
  Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
          kernels::WeightFormat cross);

  // Computes the cross-attention keys and values of all layers. Shapes: audio [positions, D].
  EncodedWindow add_window(MatrixView<const float> audio);

  int64_t vocabulary() const override { return config_.vocabulary; }
  int64_t max_tokens() const override { return config_.text_positions; }
  void forward(std::span<const decode::StepRow> rows, MatrixView<float> logits) override;
  void refine(int32_t sequence, int64_t count, std::span<float> logits) override;
  int32_t fork(int32_t sequence) override;
  void release(int32_t sequence) override;

  // The same, and shows the cross-attention weights of every decoder layer.
  // REQUIRES: rows of one sequence, at most max_tokens().
  using CrossObserver = std::function<void(int64_t layer, int64_t head, int64_t first_query,
                                           MatrixView<const float> weights)>;
  void forward_observed(std::span<const decode::StepRow> rows, MatrixView<float> logits,
                        const CrossObserver& observer);

  size_t cache_bytes() const;
  size_t activation_bytes() const;

 private:
  friend class EncodedWindow;

  struct Window {
    std::vector<nn::PackedKeyValues> cross;  // Per layer.
    int64_t sequences = 0;                   // That hear it.
    bool in_use = false;
  };
  struct Sequence {
    int32_t window = kNone;       // kNone: not in use.
    std::vector<int32_t> rows{};  // Of the self-attention cache, by position.
  };
  // One token to run.
  struct Row {
    int32_t token;
    int32_t sequence;
    int64_t position;
    bool wants_logits;
    bool estimate;
    float estimate_error = 0;  // Of the logits, as far as refining has shown.
  };
  static constexpr int32_t kNone = -1;

  void remove_window(int32_t window);
  int32_t add_sequence(int32_t window);
  Sequence& sequence(int32_t id);

  void place(std::span<const decode::StepRow> rows);
  void run_placed(MatrixView<float> logits, const CrossObserver* observer);
  void reserve_states(int64_t rows);
  void run_layer(int64_t index, MatrixView<float> x, const CrossObserver* observer);
  void embed(MatrixView<float> x);
  // One head, for all rows, on the thread that owns `lane`.
  void self_attention(int64_t layer, int64_t lane, int64_t head, MatrixView<const float> qkv,
                      MatrixView<float> out);

  nn::Runtime& run_;
  const Config& config_;
  const Weights& weights_;
  kernels::WeightFormat cross_format_;

  std::vector<Window> windows_;
  std::vector<Sequence> sequences_;
  nn::KeyValueRows cache_;

  std::vector<Row> rows_;  // Of the part of a pass at hand: at most text_positions.
  std::vector<nn::AttentionGroup> groups_;  // Neighbours among them that hear one window.
  // Rows of the last pass that wanted logits, and what they gave the head: for `refine`.
  std::vector<Row> logit_rows_;
  AlignedArray<float> states_;    // [logit rows, D]
  AlignedArray<float> cross_kv_;  // [positions, 2 D]: before packing.
  nn::AttentionScratch cross_scratch_;
  AlignedArray<float> x_;               // [rows, D]
  AlignedArray<float> h_;               // [rows, D]
  AlignedArray<float> wide_;            // [rows, max(3 D, ffn)]
  AlignedArray<float> scores_;          // [threads, text_positions]
  std::vector<const float*> pointers_;  // [threads, 2, text_positions]
};

// Owns a window of a decoder, which must outlive it.
class EncodedWindow {
 public:
  EncodedWindow(Decoder& decoder, int32_t id) : decoder_(&decoder), id_(id) {}
  EncodedWindow(EncodedWindow&& other) noexcept
      : decoder_(std::exchange(other.decoder_, nullptr)), id_(other.id_) {}
  EncodedWindow& operator=(EncodedWindow&&) = delete;
  // REQUIRES: no sequence hears it any more.
  ~EncodedWindow() {
    if (decoder_ != nullptr) decoder_->remove_window(id_);
  }

  Decoder& decoder() const { return *decoder_; }
  // A new sequence over this window, still without tokens.
  decode::Sequence begin() const { return {*decoder_, decoder_->add_sequence(id_)}; }

 private:
  Decoder* decoder_;  // Null: owns nothing.
  int32_t id_;
};

}  // namespace quintet::whisper
