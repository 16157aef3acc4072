#include "quintet/engine/models/whisper/decoder.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/attention/attention.h"

namespace quintet::whisper {

Decoder::Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
                 kernels::WeightFormat cross)
    : run_(run),
      config_(config),
      weights_(weights),
      cross_format_(cross),
      cache_(config.decoder_layers, config.decoder_heads, config.d_model / config.decoder_heads),
      cross_kv_(config.audio_positions * 2 * config.d_model),
      cross_scratch_(run.pool.threads(), config.d_model / config.decoder_heads,
                     config.audio_positions),
      x_(config.text_positions * config.d_model),
      h_(config.text_positions * config.d_model),
      wide_(config.text_positions * std::max(3 * config.d_model, config.decoder_ffn)),
      scores_(run.pool.threads() * config.text_positions),
      pointers_(static_cast<size_t>(run.pool.threads() * 2 * config.text_positions)) {}

EncodedWindow Decoder::add_window(MatrixView<const float> audio) {
  auto free = std::find_if(windows_.begin(), windows_.end(),
                           [](const Window& window) { return !window.in_use; });
  if (free == windows_.end()) {
    free = windows_.emplace(windows_.end());
    for (int64_t i = 0; i < config_.decoder_layers; ++i) {
      free->cross.emplace_back(cross_format_, config_.decoder_heads,
                               config_.d_model / config_.decoder_heads, config_.audio_positions);
    }
  }
  free->in_use = true;
  const int64_t d = config_.d_model;
  const auto kv = matrix(cross_kv_.data(), audio.rows, 2 * d);
  for (size_t i = 0; i < weights_.decoder.size(); ++i) {
    const trace::Scope scope(run_.trace, "cross_cache", static_cast<int64_t>(i));
    nn::linear(run_, weights_.decoder[i].cross_kv, audio, kv);
    free->cross[i].pack(run_, {kv.data, kv.rows, d, kv.stride},
                        {kv.data + d, kv.rows, d, kv.stride});
  }
  return {*this, static_cast<int32_t>(free - windows_.begin())};
}

void Decoder::remove_window(int32_t window) {
  Window& w = windows_[static_cast<size_t>(window)];
  QT_CHECK_EQ(w.sequences, 0);
  w.in_use = false;
}

int32_t Decoder::add_sequence(int32_t window) {
  auto free = std::find_if(sequences_.begin(), sequences_.end(),
                           [](const Sequence& s) { return s.window == kNone; });
  if (free == sequences_.end()) {
    free = sequences_.emplace(sequences_.end());
    free->rows.reserve(static_cast<size_t>(config_.text_positions));
  }
  free->window = window;
  ++windows_[static_cast<size_t>(window)].sequences;
  return static_cast<int32_t>(free - sequences_.begin());
}

Decoder::Sequence& Decoder::sequence(int32_t id) {
  QT_CHECK(id >= 0 && id < std::ssize(sequences_));
  Sequence& found = sequences_[static_cast<size_t>(id)];
  QT_CHECK(found.window != kNone);
  return found;
}

int32_t Decoder::fork(int32_t id) {
  const int32_t child = add_sequence(sequence(id).window);
  const std::vector<int32_t>& past = sequence(id).rows;
  for (const int32_t row : past) cache_.share(row);
  sequence(child).rows.assign(past.begin(), past.end());
  return child;
}

void Decoder::release(int32_t id) {
  Sequence& s = sequence(id);
  for (const int32_t row : s.rows) cache_.drop(row);
  s.rows.clear();
  --windows_[static_cast<size_t>(s.window)].sequences;
  s.window = kNone;
}

void Decoder::forward(std::span<const decode::StepRow> rows, MatrixView<float> logits) {
  const auto most = static_cast<size_t>(config_.text_positions);
  reserve_states(logits.rows);
  int64_t done = 0;
  while (!rows.empty()) {
    const auto part = rows.first(std::min(most, rows.size()));
    const int64_t wanted =
        std::count_if(part.begin(), part.end(), [](const auto& row) { return row.wants_logits; });
    place(part);
    run_placed(logits.rows_from(done, wanted), nullptr);
    done += wanted;
    rows = rows.subspan(part.size());
  }
  QT_CHECK_EQ(done, logits.rows);
}

void Decoder::forward_observed(std::span<const decode::StepRow> rows, MatrixView<float> logits,
                               const CrossObserver& observer) {
  QT_CHECK_LE(std::ssize(rows), config_.text_positions);
  reserve_states(logits.rows);
  place(rows);
  run_placed(logits, &observer);
}

// Gives each token its row of the cache, and each window its groups of queries.
void Decoder::place(std::span<const decode::StepRow> rows) {
  rows_.clear();
  groups_.clear();
  int32_t last_window = kNone;
  for (const decode::StepRow& row : rows) {
    Sequence& s = sequence(row.sequence);
    const int64_t position = std::ssize(s.rows);
    QT_CHECK_LT(position, config_.text_positions);
    s.rows.push_back(cache_.take(s.rows.empty() ? nn::KeyValueRows::kNone : s.rows.back()));
    if (s.window != last_window || groups_.back().rows == nn::AttentionScratch::kQueryBlock) {
      groups_.push_back({.kv = nullptr, .first = std::ssize(rows_), .rows = 0});
      last_window = s.window;
    }
    ++groups_.back().rows;
    rows_.push_back({row.token, row.sequence, position, row.wants_logits, row.estimate});
  }
}

void Decoder::embed(MatrixView<float> x) {
  const trace::Scope scope(run_.trace, "embed");
  for (size_t i = 0; i < rows_.size(); ++i) {
    const float* position = weights_.decoder_positions + rows_[i].position * config_.d_model;
    float* to = x.row(static_cast<int64_t>(i));
    nn::embed_token(weights_.head, rows_[i].token, to);
    for (int64_t d = 0; d < config_.d_model; ++d) to[d] += position[d];
  }
}

void Decoder::self_attention(int64_t layer, int64_t lane, int64_t head, MatrixView<const float> qkv,
                             MatrixView<float> out) {
  const int64_t d = config_.d_model;
  const int64_t dim = d / config_.decoder_heads;
  const float** k = pointers_.data() + lane * 2 * config_.text_positions;
  const float** v = k + config_.text_positions;
  for (int64_t i = 0; i < qkv.rows; ++i) {
    const Row& row = rows_[static_cast<size_t>(i)];
    const auto past = std::span(sequences_[static_cast<size_t>(row.sequence)].rows)
                          .first(static_cast<size_t>(row.position) + 1);
    const float* from = qkv.row(i) + head * dim;
    std::copy_n(from + d, dim, cache_.key(layer, past.back(), head));
    std::copy_n(from + 2 * d, dim, cache_.value(layer, past.back(), head));
    for (size_t p = 0; p < past.size(); ++p) {
      k[p] = cache_.key(layer, past[p], head);
      v[p] = cache_.value(layer, past[p], head);
    }
    kernels::attend(from, k, v, std::ssize(past), dim,
                    scores_.data() + lane * config_.text_positions, out.row(i) + head * dim);
  }
}

void Decoder::run_layer(int64_t index, MatrixView<float> x, const CrossObserver* observer) {
  const trace::Scope scope(run_.trace, "layers", index);
  const DecoderLayer& layer = weights_.decoder[static_cast<size_t>(index)];
  const auto h = matrix(h_.data(), x.rows, x.cols);
  const auto qkv = matrix(wide_.data(), x.rows, 3 * x.cols);
  const auto q = matrix(wide_.data(), x.rows, x.cols);
  const auto ffn = matrix(wide_.data(), x.rows, config_.decoder_ffn);
  nn::AttentionObserver observe_layer;
  if (observer != nullptr) {
    observe_layer = [&](int64_t head, int64_t first, MatrixView<const float> weights) {
      (*observer)(index, head, first, weights);
    };
  }
  int64_t past = 0;   // Keys that all rows attend to, of the text,
  int64_t heard = 0;  // and of the audio.
  for (const Row& row : rows_) past += row.position + 1;
  for (nn::AttentionGroup& group : groups_) {
    const Row& row = rows_[static_cast<size_t>(group.first)];
    const int32_t window = sequences_[static_cast<size_t>(row.sequence)].window;
    group.kv = &windows_[static_cast<size_t>(window)].cross[static_cast<size_t>(index)];
    heard += group.rows * group.kv->keys();
  }
  const int64_t heads = config_.decoder_heads;
  // q, k, v = qkv(norm1(x))  [rows, 3 D], then h = attention over the past  [rows, D]
  nn::norm_linear_heads(
      run_, layer.norm1, layer.qkv, x, h, qkv,
      {.heads = heads,
       .blocks = 1,
       .name = "self_attention",
       .work = nn::attention_work(DType::kF32, 1, past, config_.d_model)},
      [&](int64_t lane, int64_t head, int64_t) { self_attention(index, lane, head, qkv, h); });
  nn::linear(run_, layer.out, h, x, {.add = true});  // x += out(h)
  // q = cross_q(cross_norm(x))  [rows, D], then h = attention over the audio
  nn::norm_linear_heads(run_, layer.cross_norm, layer.cross_q, x, h, q,
                        {.heads = heads,
                         .blocks = std::ssize(groups_),
                         .name = "cross_attention",
                         .work = nn::attention_work(kernels::operand_type(groups_[0].kv->format()),
                                                    1, heard, config_.d_model)},
                        [&](int64_t lane, int64_t head, int64_t group) {
                          nn::attend_head(q, groups_[static_cast<size_t>(group)], head, lane,
                                          cross_scratch_, h,
                                          observer == nullptr ? nullptr : &observe_layer);
                        });
  nn::linear(run_, layer.cross_out, h, x, {.add = true});
  nn::norm_linear(run_, layer.norm2, layer.fc1, x, h, ffn, nn::Activation::kGelu);
  nn::linear(run_, layer.fc2, ffn, x, {.add = true});  // x += fc2(...)
}

void Decoder::run_placed(MatrixView<float> logits, const CrossObserver* observer) {
  const auto x = matrix(x_.data(), std::ssize(rows_), config_.d_model);
  embed(x);  // x = embedding + position  [rows, D]
  for (int64_t i = 0; i < config_.decoder_layers; ++i) run_layer(i, x, observer);
  const auto first = std::ssize(logit_rows_);
  for (int64_t i = 0; i < x.rows; ++i) {
    const Row& row = rows_[static_cast<size_t>(i)];
    if (!row.wants_logits) continue;
    std::copy_n(x.row(i), x.cols, states_.data() + std::ssize(logit_rows_) * x.cols);
    logit_rows_.push_back(row);
  }
  QT_CHECK_EQ(std::ssize(logit_rows_), first + logits.rows);
  const auto states = matrix(states_.data() + first * x.cols, logits.rows, x.cols);
  nn::apply_norm(run_, weights_.decoder_norm, states, states);
  nn::head_logits(run_, weights_.head, states, logits, [&](int64_t row) {
    return logit_rows_[static_cast<size_t>(first + row)].estimate;
  });
}

void Decoder::reserve_states(int64_t rows) {
  logit_rows_.clear();
  if (states_.size() < rows * config_.d_model) {
    states_ = AlignedArray<float>(rows * config_.d_model);
  }
}

void Decoder::refine(int32_t sequence, int64_t count, std::span<float> logits) {
  const auto found = std::find_if(logit_rows_.rbegin(), logit_rows_.rend(),
                                  [&](const Row& row) { return row.sequence == sequence; });
  if (found == logit_rows_.rend() || !found->estimate) return;
  const int64_t row = logit_rows_.rend() - found - 1;
  nn::refine_logits(weights_.head,
                    {states_.data() + row * config_.d_model, static_cast<size_t>(config_.d_model)},
                    count, found->estimate_error, logits);
}

size_t Decoder::cache_bytes() const {
  size_t bytes = cache_.bytes();
  for (const Window& window : windows_) {
    for (const nn::PackedKeyValues& kv : window.cross) bytes += kv.bytes();
  }
  return bytes;
}

size_t Decoder::activation_bytes() const {
  return static_cast<size_t>(cross_kv_.size() + states_.size() + x_.size() + h_.size() +
                             wide_.size() + scores_.size()) *
             sizeof(float) +
         cross_scratch_.bytes();
}

}  // namespace quintet::whisper
