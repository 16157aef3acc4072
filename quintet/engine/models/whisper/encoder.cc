#include "quintet/engine/models/whisper/encoder.h"

#include <algorithm>

#include "quintet/core/check.h"

namespace quintet::whisper {
namespace {

MatrixView<const float> columns(MatrixView<const float> m, int64_t first, int64_t count) {
  return {m.data + first, m.rows, count, m.stride};
}

void add_rows(nn::Runtime& run, const float* table, MatrixView<float> x) {
  run.pool.parallel_for(x.rows, [&](int64_t t) {
    float* row = x.row(t);
    const float* from = table + t * x.cols;
    for (int64_t d = 0; d < x.cols; ++d) row[d] += from[d];
  });
}

}  // namespace

EncoderState::EncoderState(const Config& config, kernels::WeightFormat attention, int threads)
    : mel_bins_(config.mel_bins),
      d_model_(config.d_model),
      mel_((config.mel_frames() + 2) * config.mel_bins),
      conv_((config.mel_frames() + 1) * config.d_model),
      x_(config.audio_positions * config.d_model),
      h_(config.audio_positions * config.d_model),
      wide_(config.audio_positions * std::max(3 * config.d_model, config.encoder_ffn)),
      kv_(attention, config.encoder_heads, config.d_model / config.encoder_heads,
          config.audio_positions),
      attention_(threads, config.d_model / config.encoder_heads, config.audio_positions) {}

MatrixView<float> EncoderState::mel(int64_t frames) {
  QT_CHECK_LE((frames + 2) * mel_bins_, mel_.size());
  return matrix(mel_.data() + mel_bins_, frames, mel_bins_);
}

MatrixView<const float> EncoderState::output() const {
  return {h_.data(), positions_, d_model_, d_model_};
}

size_t EncoderState::bytes() const {
  return static_cast<size_t>(mel_.size() + conv_.size() + x_.size() + h_.size() + wide_.size()) *
             sizeof(float) +
         kv_.bytes() + attention_.bytes();
}

void encode(nn::Runtime& run, const Config& config, const Weights& weights, int64_t frames,
            EncoderState& state) {
  QT_CHECK(frames >= 2 && frames % 2 == 0);
  const int64_t mel_bins = config.mel_bins;
  const int64_t d = config.d_model;
  const int64_t t = frames / 2;
  state.positions_ = t;

  // A kernel of 3 frames at stride s reads 3 neighbouring frames, which lie side by side: each
  // convolution is a matrix product over overlapping rows. Frame `frames` of the mel was possibly
  // used by a longer window before: it pads this one.
  std::fill_n(state.mel(frames).row(frames), mel_bins, 0.0f);
  const MatrixView<const float> mel{state.mel_.data(), frames, 3 * mel_bins, mel_bins};
  const auto conv = matrix(state.conv_.data() + d, frames, d);
  const MatrixView<const float> conv_pairs{state.conv_.data(), t, 3 * d, 2 * d};
  const auto x = matrix(state.x_.data(), t, d);
  const auto h = matrix(state.h_.data(), t, d);
  const auto qkv = matrix(state.wide_.data(), t, 3 * d);
  const auto ffn = matrix(state.wide_.data(), t, config.encoder_ffn);

  nn::linear(run, weights.conv1, mel, conv, {nn::Activation::kGelu});      // gelu(conv1)  [2t, D]
  nn::linear(run, weights.conv2, conv_pairs, x, {nn::Activation::kGelu});  // gelu(conv2)  [t, D]
  add_rows(run, weights.encoder_positions, x);                             // x + positions

  for (const EncoderLayer& layer : weights.encoder) {
    nn::layer_norm(run, layer.norm1, x, h);  // h = norm1(x)       [t, D]
    nn::linear(run, layer.qkv, h, qkv);      // q, k, v            [t, 3D]
    state.kv_.pack(run, columns(qkv, d, d), columns(qkv, 2 * d, d));
    nn::attend_packed(run, columns(qkv, 0, d), state.kv_, state.attention_, h);
    nn::linear(run, layer.out, h, x, {.add = true});              // x += out(attention)
    nn::layer_norm(run, layer.norm2, x, h);                       // h = norm2(x)
    nn::linear(run, layer.fc1, h, ffn, {nn::Activation::kGelu});  // gelu(fc1(h))       [t, ffn]
    nn::linear(run, layer.fc2, ffn, x, {.add = true});            // x += fc2(...)
  }
  nn::layer_norm(run, weights.encoder_norm, x, h);
}

}  // namespace quintet::whisper
