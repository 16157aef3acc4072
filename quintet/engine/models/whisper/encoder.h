// Whisper's audio encoder.
#pragma once

#include <cstdint>

#include "quintet/core/aligned.h"
#include "quintet/engine/models/whisper/config.h"
#include "quintet/engine/models/whisper/weights.h"
#include "quintet/engine/nn/attention.h"
#include "quintet/engine/nn/row_blocks.h"
#include "quintet/engine/nn/runtime.h"

namespace quintet::whisper {

// Activations of one encoder pass over at most a full window.
class EncoderState {
 public:
  // `attention`: format of keys and values, as in nn::PackedKeyValues. `fuse`: as in the
  // nn::Runtime that will encode.
  EncoderState(const Config& config, kernels::WeightFormat attention, int threads, bool fuse);

  // Where the caller writes the log-mel spectrogram, [frames, F], frames <= config.mel_frames().
  MatrixView<float> mel(int64_t frames);
  // The last output, [positions, D].
  MatrixView<const float> output() const;

  size_t bytes() const;

 private:
  friend class EncoderPass;
  friend void encode(nn::Runtime&, const Config&, const Weights&, int64_t frames, EncoderState&);

  int64_t mel_bins_;
  int64_t d_model_;
  int64_t positions_ = 0;
  AlignedArray<float> mel_;   // [1 + frames + 1, F]: a zero frame at both ends pads conv1
  AlignedArray<float> conv_;  // [1 + frames, D]: a zero frame in front pads conv2
  AlignedArray<float> x_;     // [positions, D]: residual stream
  AlignedArray<float> h_;     // [positions, D]
  AlignedArray<float> qkv_;   // [positions, 3 D]
  AlignedArray<float> ffn_;   // [rows of all lanes' blocks, ffn]; without fusion [positions, ffn]
  nn::RowBlocks blocks_;
  nn::PackedKeyValues kv_;
  nn::AttentionScratch attention_;
};

// Encodes `frames` frames of state.mel() (even, at least 2) into frames / 2 positions of output().
// Source: Radford et al. 2022, section 2.2; transformers modeling_whisper.py
// WhisperEncoder.forward.
void encode(nn::Runtime& run, const Config& config, const Weights& weights, int64_t frames,
            EncoderState& state);

}  // namespace quintet::whisper
