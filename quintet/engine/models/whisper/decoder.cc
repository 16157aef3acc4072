#include "quintet/engine/models/whisper/decoder.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"

namespace quintet::whisper {

Decoder::Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
                 kernels::WeightFormat cross, int64_t max_sequences)
    : run_(run),
      config_(config),
      weights_(weights),
      max_sequences_(max_sequences),
      cross_kv_(config.audio_positions * 2 * config.d_model),
      cross_scratch_(run.pool.threads(), config.d_model / config.decoder_heads,
                     config.audio_positions),
      cache_(config.decoder_layers * max_sequences * config.text_positions * 2 * config.d_model),
      slots_(static_cast<size_t>(max_sequences * config.text_positions)),
      next_slots_(slots_.size()) {
  const int64_t rows = std::max(config.text_positions, max_sequences);
  x_ = AlignedArray<float>(rows * config.d_model);
  h_ = AlignedArray<float>(rows * config.d_model);
  wide_ = AlignedArray<float>(rows * std::max(3 * config.d_model, config.decoder_ffn));
  scores_ = AlignedArray<float>(run.pool.threads() * config.text_positions);
  pointers_.resize(static_cast<size_t>(run.pool.threads() * 2 * config.text_positions));
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    cross_.emplace_back(cross, config.decoder_heads, config.d_model / config.decoder_heads,
                        config.audio_positions);
  }
}

void Decoder::set_audio(MatrixView<const float> audio) {
  const int64_t d = config_.d_model;
  const auto kv = matrix(cross_kv_.data(), audio.rows, 2 * d);
  for (size_t i = 0; i < weights_.decoder.size(); ++i) {
    const trace::Scope scope(run_.trace, "cross_cache", static_cast<int64_t>(i));
    nn::linear(run_, weights_.decoder[i].cross_kv, audio, kv);
    cross_[i].pack(run_, {kv.data, kv.rows, d, kv.stride}, {kv.data + d, kv.rows, d, kv.stride});
  }
  sequences_ = 0;
  length_ = 0;
}

void Decoder::start(std::span<const int32_t> prompt, MatrixView<float> logits) {
  start_observed(prompt, logits, nullptr);
}

void Decoder::start_observed(std::span<const int32_t> tokens, MatrixView<float> logits,
                             const CrossObserver& observer) {
  const auto count = static_cast<int64_t>(tokens.size());
  QT_CHECK(count > 0);
  QT_CHECK_LE(count, config_.text_positions);
  sequences_ = 1;
  length_ = count;
  std::vector<Row> rows;
  for (int64_t p = 0; p < count; ++p) {
    rows.push_back({tokens[static_cast<size_t>(p)], p, 0});
    slot(0, p) = static_cast<int32_t>(p);
  }
  forward(rows, logits, observer ? &observer : nullptr);
}

void Decoder::step(std::span<const int32_t> parents, std::span<const int32_t> tokens,
                   MatrixView<float> logits) {
  const auto count = static_cast<int64_t>(tokens.size());
  QT_CHECK_EQ(parents.size(), tokens.size());
  QT_CHECK_LE(count, max_sequences_);
  QT_CHECK_LT(length_, config_.text_positions);
  std::vector<Row> rows;
  for (int64_t s = 0; s < count; ++s) {
    const auto i = static_cast<size_t>(s);
    QT_CHECK_LT(parents[i], sequences_);
    const auto from = slots_.begin() + parents[i] * config_.text_positions;
    const auto to = next_slots_.begin() + s * config_.text_positions;
    std::copy(from, from + length_, to);
    // Nobody else writes row (s, length): the shared past stays intact. Sequence-major rows leave
    // the memory of sequences that a search does not use untouched.
    to[length_] = static_cast<int32_t>(s * config_.text_positions + length_);
    rows.push_back({tokens[i], length_, s});
  }
  std::swap(slots_, next_slots_);
  sequences_ = count;
  ++length_;
  forward(rows, logits, nullptr);
}

float* Decoder::cache_row(int64_t layer, int64_t slot, bool value) {
  const int64_t rows = max_sequences_ * config_.text_positions;
  return cache_.data() + ((layer * rows + slot) * 2 + (value ? 1 : 0)) * config_.d_model;
}

void Decoder::embed(std::span<const Row> rows, MatrixView<float> x) {
  const trace::Scope scope(run_.trace, "embed");
  for (size_t i = 0; i < rows.size(); ++i) {
    const float* position = weights_.decoder_positions + rows[i].position * config_.d_model;
    float* to = x.row(static_cast<int64_t>(i));
    for (int64_t d = 0; d < config_.d_model; ++d) {
      to[d] = kernels::unpacked_weight(weights_.embedding.w, rows[i].token, d) + position[d];
    }
  }
}

void Decoder::self_attention(int64_t layer, int64_t lane, int64_t head, std::span<const Row> rows,
                             MatrixView<const float> qkv, MatrixView<float> out) {
  const int64_t d = config_.d_model;
  const int64_t dim = d / config_.decoder_heads;
  const int64_t column = head * dim;
  const float** k = pointers_.data() + lane * 2 * config_.text_positions;
  const float** v = k + config_.text_positions;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const float* from = qkv.row(static_cast<int64_t>(i)) + column;
    const int64_t at = slot(row.sequence, row.position);
    std::copy_n(from + d, dim, cache_row(layer, at, false) + column);
    std::copy_n(from + 2 * d, dim, cache_row(layer, at, true) + column);
    const int64_t keys = row.position + 1;
    for (int64_t p = 0; p < keys; ++p) {
      k[p] = cache_row(layer, slot(row.sequence, p), false) + column;
      v[p] = cache_row(layer, slot(row.sequence, p), true) + column;
    }
    kernels::attend(from, k, v, keys, dim, scores_.data() + lane * config_.text_positions,
                    out.row(static_cast<int64_t>(i)) + column);
  }
}

void Decoder::forward(std::span<const Row> rows, MatrixView<float> logits,
                      const CrossObserver* observer) {
  const auto count = static_cast<int64_t>(rows.size());
  constexpr int64_t kBlock = nn::AttentionScratch::kQueryBlock;
  const int64_t d = config_.d_model;
  QT_CHECK_LE(logits.rows, count);
  const auto x = matrix(x_.data(), count, d);
  const auto h = matrix(h_.data(), count, d);
  const auto qkv = matrix(wide_.data(), count, 3 * d);
  const auto q = matrix(wide_.data(), count, d);
  const auto ffn = matrix(wide_.data(), count, config_.decoder_ffn);

  embed(rows, x);    // x = embedding + position  [rows, D]
  int64_t past = 0;  // Keys that the rows attend to, together.
  for (const Row& row : rows) past += row.position + 1;
  for (size_t i = 0; i < weights_.decoder.size(); ++i) {
    const DecoderLayer& layer = weights_.decoder[i];
    const auto index = static_cast<int64_t>(i);
    const trace::Scope scope(run_.trace, "layers", index);
    nn::AttentionObserver observe_layer;
    if (observer != nullptr) {
      observe_layer = [&, index](int64_t head, int64_t first, MatrixView<const float> weights) {
        (*observer)(index, head, first, weights);
      };
    }
    const int64_t heads = config_.decoder_heads;
    // q, k, v = qkv(norm1(x))  [rows, 3 D], then h = attention over the past  [rows, D]
    nn::norm_linear_heads(run_, layer.norm1, layer.qkv, x, h, qkv,
                          {.heads = heads,
                           .blocks = 1,
                           .name = "self_attention",
                           .work = nn::attention_work(DType::kF32, 1, past, d)},
                          [&](int64_t lane, int64_t head, int64_t) {
                            self_attention(index, lane, head, rows, qkv, h);
                          });
    nn::linear(run_, layer.out, h, x, {.add = true});  // x += out(h)
    // q = cross_q(cross_norm(x))  [rows, D], then h = attention over the audio
    nn::norm_linear_heads(run_, layer.cross_norm, layer.cross_q, x, h, q,
                          {.heads = heads,
                           .blocks = (count + kBlock - 1) / kBlock,
                           .name = "cross_attention",
                           .work = nn::attention_work(kernels::operand_type(cross_[i].format()),
                                                      count, cross_[i].keys(), d)},
                          [&](int64_t lane, int64_t head, int64_t block) {
                            const int64_t first = block * kBlock;
                            nn::attend_head(q, {&cross_[i], first, std::min(kBlock, count - first)},
                                            head, lane, cross_scratch_, h,
                                            observer == nullptr ? nullptr : &observe_layer);
                          });
    nn::linear(run_, layer.cross_out, h, x, {.add = true});
    nn::norm_linear(run_, layer.norm2, layer.fc1, x, h, ffn, nn::Activation::kGelu);
    nn::linear(run_, layer.fc2, ffn, x, {.add = true});  // x += fc2(...)
  }
  if (logits.rows == 0) return;
  const auto last = x.rows_from(count - logits.rows, logits.rows);
  const auto normed = h.rows_from(0, logits.rows);
  // The embedding is the output head too  [logits.rows, V]
  nn::norm_linear(run_, weights_.decoder_norm, weights_.embedding, last, normed, logits);
}

size_t Decoder::cache_bytes() const {
  size_t bytes = static_cast<size_t>(cache_.size()) * sizeof(float);
  for (const nn::PackedKeyValues& kv : cross_) bytes += kv.bytes();
  return bytes;
}

size_t Decoder::activation_bytes() const {
  return static_cast<size_t>(cross_kv_.size() + x_.size() + h_.size() + wide_.size() +
                             scores_.size()) *
             sizeof(float) +
         cross_scratch_.bytes();
}

}  // namespace quintet::whisper
