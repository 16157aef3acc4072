#include "quintet/engine/models/whisper/encoder.h"

#include <algorithm>

#include "quintet/core/check.h"

namespace quintet::whisper {
namespace {

MatrixView<const float> columns(MatrixView<const float> m, int64_t first, int64_t count) {
  return {m.data + first, m.rows, count, m.stride};
}

void add_positions(nn::Runtime& run, const float* table, MatrixView<float> x) {
  const auto values = static_cast<double>(x.rows * x.cols);
  const trace::Scope scope(run.trace, "positions",
                           {.operations = values, .activation_bytes = 3 * sizeof(float) * values},
                           run.pool.threads());
  run.pool.parallel_for(x.rows, [&](int64_t t) {
    float* row = x.row(t);
    const float* from = table + t * x.cols;
    for (int64_t d = 0; d < x.cols; ++d) row[d] += from[d];
  });
}

int64_t ffn_rows(const Config& config, int threads, bool fuse) {
  return fuse ? threads * nn::RowBlocks::kRows : config.audio_positions;
}

}  // namespace

EncoderState::EncoderState(const Config& config, kernels::WeightFormat attention, int threads,
                           bool fuse)
    : mel_bins_(config.mel_bins),
      d_model_(config.d_model),
      mel_((config.mel_frames() + 2) * config.mel_bins),
      conv_((config.mel_frames() + 1) * config.d_model),
      x_(config.audio_positions * config.d_model),
      h_(config.audio_positions * config.d_model),
      qkv_(config.audio_positions * 3 * config.d_model),
      ffn_(ffn_rows(config, threads, fuse) * config.encoder_ffn),
      blocks_(threads, nn::padded_width(std::max(config.d_model, config.encoder_ffn))),
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
  const auto floats = static_cast<size_t>(mel_.size() + conv_.size() + x_.size() + h_.size() +
                                          qkv_.size() + ffn_.size());
  return floats * sizeof(float) + blocks_.bytes() + kv_.bytes() + attention_.bytes();
}

// One pass over `positions` positions; the activations are those of the state.
class EncoderPass {
 public:
  EncoderPass(const Weights& weights, EncoderState& state)
      : weights_(weights),
        state_(state),
        t_(state.positions_),
        d_(state.d_model_),
        ffn_width_(weights.encoder.front().fc1.w.n),
        x_(matrix(state.x_.data(), t_, d_)),
        h_(matrix(state.h_.data(), t_, d_)),
        qkv_(matrix(state.qkv_.data(), t_, 3 * d_)) {}

  // x = gelu(conv2(gelu(conv1(mel)))) + positions. A kernel of 3 frames at stride s reads 3
  // neighbouring frames, which lie side by side: each convolution is a matrix product over
  // overlapping rows.
  void stem(nn::Runtime& run) {
    const int64_t frames = 2 * t_;
    // Frame `frames` of the mel was possibly used by a longer window before: it pads this one.
    std::fill_n(state_.mel(frames).row(frames), state_.mel_bins_, 0.0f);
    const MatrixView<const float> mel{state_.mel_.data(), frames, 3 * state_.mel_bins_,
                                      state_.mel_bins_};
    const auto conv = matrix(state_.conv_.data() + d_, frames, d_);
    const MatrixView<const float> conv_pairs{state_.conv_.data(), t_, 3 * d_, 2 * d_};
    nn::linear(run, weights_.conv1, mel, conv, {nn::Activation::kGelu});       // [2t, D]
    nn::linear(run, weights_.conv2, conv_pairs, x_, {nn::Activation::kGelu});  // [t, D]
    add_positions(run, weights_.encoder_positions, x_);
  }

  void first_queries(nn::Runtime& run) {
    state_.blocks_.for_each(run, t_, [&](nn::Runtime& own, int64_t, int64_t first, int64_t count) {
      before_attention(own, weights_.encoder.front(), first, count);
    });
  }

  // Layer `i` from its queries, keys and values to those of the next, or to the output.
  void layer(nn::Runtime& run, size_t i) {
    attention(run, i);
    state_.blocks_.for_each(
        run, t_, [&](nn::Runtime& own, int64_t lane, int64_t first, int64_t count) {
          after_attention(own, weights_.encoder[i], lane, first, count);
          if (i + 1 < weights_.encoder.size()) {
            before_attention(own, weights_.encoder[i + 1], first, count);
          } else {
            nn::apply_norm(own, weights_.encoder_norm, x_.rows_from(first, count),
                           h_.rows_from(first, count));
          }
        });
  }

 private:
  void before_attention(nn::Runtime& run, const EncoderLayer& layer, int64_t first, int64_t count) {
    const trace::Scope scope(run.trace, "layers", &layer - weights_.encoder.data());
    const auto h = h_.rows_from(first, count);
    const auto qkv = qkv_.rows_from(first, count);
    nn::apply_norm(run, layer.norm1, x_.rows_from(first, count), h);  // h = norm1(x)   [rows, D]
    nn::linear(run, layer.qkv, h, qkv);                               // q, k, v        [rows, 3D]
  }

  // h = attention over all positions  [t, D]
  void attention(nn::Runtime& run, size_t i) {
    const trace::Scope scope(run.trace, "layers", static_cast<int64_t>(i));
    state_.kv_.pack(run, columns(qkv_, d_, d_), columns(qkv_, 2 * d_, d_));
    nn::attend_packed(run, columns(qkv_, 0, d_), state_.kv_, state_.attention_, h_);
  }

  void after_attention(nn::Runtime& run, const EncoderLayer& layer, int64_t lane, int64_t first,
                       int64_t count) {
    const trace::Scope scope(run.trace, "layers", &layer - weights_.encoder.data());
    const auto x = x_.rows_from(first, count);
    const auto h = h_.rows_from(first, count);
    float* lane_ffn = state_.ffn_.data() + lane * nn::RowBlocks::kRows * ffn_width_;
    const auto ffn = matrix(lane_ffn, count, ffn_width_);
    nn::linear(run, layer.out, h, x, {.add = true});              // x += out(attention)
    nn::apply_norm(run, layer.norm2, x, h);                       // h = norm2(x)
    nn::linear(run, layer.fc1, h, ffn, {nn::Activation::kGelu});  // gelu(fc1(h))       [rows, ffn]
    nn::linear(run, layer.fc2, ffn, x, {.add = true});            // x += fc2(...)
  }

  const Weights& weights_;
  EncoderState& state_;
  int64_t t_;
  int64_t d_;
  int64_t ffn_width_;
  MatrixView<float> x_;    // Residual stream, [t, D].
  MatrixView<float> h_;    // [t, D]
  MatrixView<float> qkv_;  // [t, 3D]
};

void encode(nn::Runtime& run, const Config& config, const Weights& weights, int64_t frames,
            EncoderState& state) {
  QT_CHECK(frames >= 2 && frames % 2 == 0);
  QT_CHECK_LE(frames, config.mel_frames());
  state.positions_ = frames / 2;
  EncoderPass pass(weights, state);
  pass.stem(run);
  pass.first_queries(run);
  for (size_t i = 0; i < weights.encoder.size(); ++i) pass.layer(run, i);
}

}  // namespace quintet::whisper
