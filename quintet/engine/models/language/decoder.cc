#include "quintet/engine/models/language/decoder.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/norm/norm.h"
#include "quintet/kernels/rope/rope.h"

namespace quintet::language {
namespace {

using kernels::PackedWeights;
using nn::KeyValuePages;

// From this many rows on a thread takes rows through a layer on its own; below, the threads share
// the output channels of each matrix.
constexpr int64_t kManyRows = 64;

int64_t qkv_width(const Config& c) { return c.query_width() + 2 * c.kv_width(); }

// Rows of a matrix of one row per token.
MatrixView<float> rows_of(AlignedArray<float>& of, int64_t width, int64_t first, int64_t rows) {
  return {of.data() + first * width, rows, width, width};
}

void embed_row(const Weights& weights, int64_t token, float* to) {
  const PackedWeights& w = weights.embedding;
  if (w.panels == nullptr) return nn::embed_token(weights.head, token, to);
  for (int64_t d = 0; d < w.k; ++d) to[d] = kernels::unpacked_weight(w, token, d);
}

}  // namespace

Decoder::Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
                 const DecoderOptions& options)
    : run_(run),
      config_(config),
      weights_(weights),
      reuse_prefixes_(options.reuse_prefixes),
      cache_({options.cache_format, config.layers, config.kv_heads, config.head_dim},
             options.max_cache_bytes),
      prefixes_(cache_),
      rope_(rope_frequencies(config.rope_theta, config.head_dim, config.rope_scaling)),
      sliding_rope_(rope_frequencies(config.sliding_rope_theta, config.head_dim,
                                     config.sliding_rope_scaling)),
      row_blocks_(run.pool.threads(),
                  nn::padded_width(std::max({config.d_model, config.ffn, config.query_width()}))),
      attention_scratch_(run.pool.threads(), config.heads / config.kv_heads, config.head_dim),
      x_(kChunkRows * config.d_model),
      h_(kChunkRows * config.d_model),
      qkv_(kChunkRows * qkv_width(config)),
      heads_(kChunkRows * config.query_width()),
      gate_(kChunkRows * config.ffn),
      up_(kChunkRows * config.ffn) {}

Decoder::Sequence& Decoder::sequence(int32_t id) {
  QT_CHECK(id >= 0 && id < std::ssize(sequences_) && sequences_[static_cast<size_t>(id)].in_use);
  return sequences_[static_cast<size_t>(id)];
}

std::span<const int32_t> Decoder::tokens(int32_t id) const {
  return const_cast<Decoder*>(this)->sequence(id).tokens;
}

int32_t Decoder::add_sequence() {
  auto free = std::ranges::find(sequences_, false, &Sequence::in_use);
  if (free == sequences_.end()) free = sequences_.emplace(sequences_.end());
  free->in_use = true;
  return static_cast<int32_t>(free - sequences_.begin());
}

decode::Sequence Decoder::begin() { return {*this, add_sequence()}; }

decode::Sequence Decoder::begin(std::span<const int32_t> prompt, int64_t& kept) {
  decode::Sequence begun = begin();
  Sequence& s = sequence(begun.id());
  kept = 0;
  while (reuse_prefixes_ && kept + KeyValuePages::kTokens < std::ssize(prompt)) {
    const auto page = prompt.subspan(static_cast<size_t>(kept), KeyValuePages::kTokens);
    const auto found = prefixes_.find(s.prefix, page);
    if (!found) break;
    s.prefix = found->node;
    s.pages.push_back(found->page);
    kept += KeyValuePages::kTokens;
  }
  s.tokens.assign(prompt.begin(), prompt.begin() + kept);
  s.known_pages = std::ssize(s.pages);
  return begun;
}

Result<void> Decoder::reserve(int32_t id, int64_t count) {
  Sequence& s = sequence(id);
  const int64_t length = std::ssize(s.tokens) + count;
  if (length > config_.max_positions) {
    return Error(Code::kExhausted, "the context of the model has " +
                                       std::to_string(config_.max_positions) + " tokens, " +
                                       std::to_string(length) + " are asked for");
  }
  while (std::ssize(s.pages) * KeyValuePages::kTokens < length) {
    auto page = cache_.take();
    while (!page && prefixes_.evict_one()) page = cache_.take();
    if (!page) {
      return Error(Code::kExhausted,
                   "the key and value cache is full at " +
                       std::to_string(cache_.max_pages() * KeyValuePages::kTokens) + " tokens");
    }
    s.pages.push_back(*page);
  }
  return {};
}

void Decoder::truncate(int32_t id, int64_t count) {
  Sequence& s = sequence(id);
  QT_CHECK_LE(count, std::ssize(s.tokens));
  // Pages that others can see are never written again: they hold nothing but what is known.
  QT_CHECK_LE(s.known_pages * KeyValuePages::kTokens, count);
  s.tokens.resize(static_cast<size_t>(count));
}

int32_t Decoder::fork(int32_t id) {
  const int32_t child = add_sequence();
  const Sequence& s = sequence(id);
  Sequence& c = sequence(child);
  c.tokens = s.tokens;
  c.prefix = s.prefix;
  c.known_pages = s.known_pages;
  const int64_t whole = std::ssize(s.tokens) / KeyValuePages::kTokens;
  c.pages.assign(s.pages.begin(), s.pages.begin() + whole);
  for (const int32_t page : c.pages) cache_.share(page);
  if (std::ssize(s.tokens) > whole * KeyValuePages::kTokens) {
    const auto reserved = reserve(child, 0);
    QT_CHECK(reserved.has_value());
    cache_.copy(s.pages[static_cast<size_t>(whole)], c.pages.back());
  }
  return child;
}

void Decoder::release(int32_t id) {
  Sequence& s = sequence(id);
  keep_whole_pages(s);
  for (const int32_t page : s.pages) cache_.drop(page);
  s = {};
}

void Decoder::forward(std::span<const decode::StepRow> rows, MatrixView<float> logits) {
  // Not behind the pass: tokens that were run ahead may be taken back.
  for (const decode::StepRow& row : rows) keep_whole_pages(sequence(row.sequence));
  logit_rows_.clear();
  if (states_.size() < logits.rows * config_.d_model) {
    states_ = AlignedArray<float>(logits.rows * config_.d_model);
  }
  int64_t done = 0;
  while (!rows.empty()) {
    const auto chunk = rows.first(std::min(static_cast<size_t>(kChunkRows), rows.size()));
    place(chunk);
    const int64_t wanted = std::ranges::count(rows_, true, &Row::wants_logits);
    run_placed(logits.rows_from(done, wanted));
    done += wanted;
    rows = rows.subspan(chunk.size());
  }
  QT_CHECK_EQ(done, logits.rows);
}

// Gives each token its place in the cache, and neighbours of one sequence their group of queries.
void Decoder::place(std::span<const decode::StepRow> rows) {
  rows_.clear();
  queries_.clear();
  int64_t end = 0;
  for (const decode::StepRow& row : rows) {
    QT_CHECK(row.token >= 0 && row.token < config_.vocabulary);
    Sequence& s = sequence(row.sequence);
    const int64_t position = std::ssize(s.tokens);
    QT_CHECK_LT(position, std::ssize(s.pages) * KeyValuePages::kTokens);
    const bool joins = !rows_.empty() && rows_.back().sequence == row.sequence &&
                       queries_.back().tokens < nn::PagedScratch::kQueryTokens;
    if (joins) {
      ++queries_.back().tokens;
    } else {
      queries_.push_back(
          {.pages = s.pages, .position = position, .tokens = 1, .row = std::ssize(rows_)});
    }
    s.tokens.push_back(row.token);
    rows_.push_back({row.token, row.sequence, position, row.wants_logits, row.estimate});
    end = std::max(end, position + 1);
  }
  rope_.reserve(end);
  if (config_.sliding_window != 0) sliding_rope_.reserve(end);
}

void Decoder::keep_whole_pages(Sequence& s) {
  if (!reuse_prefixes_) return;
  const std::span<const int32_t> tokens = s.tokens;
  for (; (s.known_pages + 1) * KeyValuePages::kTokens <= std::ssize(tokens); ++s.known_pages) {
    const auto at = static_cast<size_t>(s.known_pages * KeyValuePages::kTokens);
    int32_t& page = s.pages[static_cast<size_t>(s.known_pages)];
    const auto kept = prefixes_.add(s.prefix, tokens.subspan(at, KeyValuePages::kTokens), page);
    s.prefix = kept.node;
    page = kept.page;
  }
}

void Decoder::embed() {
  const trace::Scope scope(run_.trace, "embed");
  for (size_t i = 0; i < rows_.size(); ++i) {
    float* to = x_.data() + static_cast<int64_t>(i) * config_.d_model;
    embed_row(weights_, rows_[i].token, to);
    for (int64_t d = 0; d < config_.d_model; ++d) to[d] *= config_.embedding_scale;
  }
}

// q, k, v = qkv(norm1(x))  [rows, (Nh + 2 Nkv) Dh]
void Decoder::project_in(nn::Runtime& run, int64_t layer, int64_t first, int64_t rows) {
  const Layer& w = weights_.layers[static_cast<size_t>(layer)];
  nn::norm_linear(run, w.norm1, w.qkv, rows_of(x_, config_.d_model, first, rows),
                  rows_of(h_, config_.d_model, first, rows),
                  rows_of(qkv_, qkv_width(config_), first, rows));
}

// The queries that share a head of keys, and the keys, are normed and turned by their position;
// keys and values go to the cache.
void Decoder::rotate_and_store(int64_t layer, int64_t kv_head, int64_t first, int64_t rows) {
  const Layer& w = weights_.layers[static_cast<size_t>(layer)];
  const RopeTable& rope = !config_.sliding.empty() && config_.sliding[static_cast<size_t>(layer)]
                              ? sliding_rope_
                              : rope_;
  const int64_t dim = config_.head_dim;
  const int64_t group = config_.heads / config_.kv_heads;
  const auto turn = [&](float* x, const nn::Norm& norm, int64_t position) {
    if (config_.qk_norm) kernels::rms_norm(x, norm.gamma, norm.eps, x, dim);
    kernels::rotate_half(x, rope.cosines(position), rope.sines(position), rope.half());
  };
  for (int64_t i = first; i < first + rows; ++i) {
    const Row& row = rows_[static_cast<size_t>(i)];
    float* q = qkv_.data() + i * qkv_width(config_) + kv_head * group * dim;
    float* k = qkv_.data() + i * qkv_width(config_) + config_.query_width() + kv_head * dim;
    for (int64_t g = 0; g < group; ++g) turn(q + g * dim, w.q_norm, row.position);
    turn(k, w.k_norm, row.position);
    const int32_t page = sequences_[static_cast<size_t>(row.sequence)]
                             .pages[static_cast<size_t>(row.position / KeyValuePages::kTokens)];
    cache_.store(layer, page, row.position % KeyValuePages::kTokens, kv_head, k,
                 k + config_.kv_width());
  }
}

// heads = attention over the past  [rows, Nh Dh]
void Decoder::attend(int64_t layer) {
  const bool sliding = !config_.sliding.empty() && config_.sliding[static_cast<size_t>(layer)];
  const nn::PagedHeads heads = {.layer = layer,
                                .query_heads = config_.heads,
                                .scale = config_.query_scale,
                                .window = sliding ? config_.sliding_window : 0};
  const int64_t rows = std::ssize(rows_);
  const auto q = rows_of(qkv_, qkv_width(config_), 0, rows);
  const auto out = rows_of(heads_, config_.query_width(), 0, rows);
  const int64_t groups = std::ssize(queries_);
  const trace::Scope scope(run_.trace, "attention", attention_work(), run_.pool.threads());
  // The last queries see most keys: they go first, so that the threads end together.
  run_.pool.parallel_for_lanes(groups * config_.kv_heads, [&](int64_t lane, int64_t task) {
    const nn::PagedQueries& queries =
        queries_[static_cast<size_t>(groups - 1 - task / config_.kv_heads)];
    nn::attend_paged(cache_, heads, task % config_.kv_heads, queries, q, attention_scratch_, lane,
                     out);
  });
}

// x += linear(from), or norm(linear(from)) in families that have one there.
void Decoder::add_projected(nn::Runtime& run, const nn::Linear& linear, const nn::Norm& norm,
                            MatrixView<const float> from, int64_t first, int64_t rows) {
  const auto x = rows_of(x_, config_.d_model, first, rows);
  if (norm.gamma == nullptr) return nn::linear(run, linear, from, x, {.add = true});
  const auto h = rows_of(h_, config_.d_model, first, rows);
  nn::linear(run, linear, from, h);
  nn::apply_norm(run, norm, h, h);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t d = 0; d < config_.d_model; ++d) x.row(i)[d] += h.row(i)[d];
  }
}

void Decoder::finish_layer(nn::Runtime& run, const Layer& layer, int64_t first, int64_t rows) {
  const auto x = rows_of(x_, config_.d_model, first, rows);
  const auto h = rows_of(h_, config_.d_model, first, rows);
  const auto gate = rows_of(gate_, config_.ffn, first, rows);
  add_projected(run, layer.out, layer.out_norm, rows_of(heads_, config_.query_width(), first, rows),
                first, rows);
  // gate = activation(gate(norm2(x))) * up(norm2(x))  [rows, ffn]
  nn::norm_gated_linear(run, layer.norm2, layer.feed_in, x, h,
                        rows_of(up_, config_.ffn, first, rows), gate);
  add_projected(run, layer.down, layer.down_norm, gate, first, rows);
}

void Decoder::run_layers() {
  const int64_t rows = std::ssize(rows_);
  for (int64_t i = 0; i < config_.layers; ++i) {
    const trace::Scope scope(run_.trace, "layers", i);
    project_in(run_, i, 0, rows);
    run_.pool.parallel_for(config_.kv_heads,
                           [&](int64_t head) { rotate_and_store(i, head, 0, rows); });
    attend(i);
    finish_layer(run_, weights_.layers[static_cast<size_t>(i)], 0, rows);
    if (observer_) observer_(i + 1, rows_of(x_, config_.d_model, 0, rows));
  }
}

// Between two attentions every row is on its own.
void Decoder::run_layers_in_blocks() {
  const int64_t rows = std::ssize(rows_);
  const auto begin_layer = [&](nn::Runtime& run, int64_t layer, int64_t first, int64_t count) {
    project_in(run, layer, first, count);
    for (int64_t head = 0; head < config_.kv_heads; ++head) {
      rotate_and_store(layer, head, first, count);
    }
  };
  row_blocks_.for_each(run_, rows, [&](nn::Runtime& run, int64_t, int64_t first, int64_t count) {
    begin_layer(run, 0, first, count);
  });
  for (int64_t i = 0; i < config_.layers; ++i) {
    const trace::Scope scope(run_.trace, "layers", i);
    attend(i);
    row_blocks_.for_each(run_, rows, [&](nn::Runtime& run, int64_t, int64_t first, int64_t count) {
      finish_layer(run, weights_.layers[static_cast<size_t>(i)], first, count);
      if (i + 1 < config_.layers) begin_layer(run, i + 1, first, count);
    });
  }
}

void Decoder::run_placed(MatrixView<float> logits) {
  embed();
  if (observer_) observer_(0, rows_of(x_, config_.d_model, 0, std::ssize(rows_)));
  if (run_.fuse && std::ssize(rows_) >= kManyRows && !observer_) {
    run_layers_in_blocks();
  } else {
    run_layers();
  }
  run_head(logits);
}

// Estimates where any row will do with them; the others exactly, neighbours together.
void Decoder::run_head(MatrixView<float> logits) {
  const int64_t d = config_.d_model;
  const int64_t before = std::ssize(logit_rows_);
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (!rows_[i].wants_logits) continue;
    std::copy_n(x_.data() + static_cast<int64_t>(i) * d, d,
                states_.data() + std::ssize(logit_rows_) * d);
    logit_rows_.push_back(rows_[i]);
  }
  if (logits.rows == 0) return;
  const auto states = rows_of(states_, d, before, logits.rows);
  nn::apply_norm(run_, weights_.norm, states, states);
  const auto rows = std::span<const Row>(logit_rows_).subspan(static_cast<size_t>(before));
  nn::head_logits(run_, weights_.head, states, logits,
                  [&](int64_t row) { return rows[static_cast<size_t>(row)].estimate; });
}

void Decoder::refine(int32_t id, int64_t count, std::span<float> logits) {
  const auto found = std::find_if(logit_rows_.rbegin(), logit_rows_.rend(),
                                  [&](const Row& row) { return row.sequence == id; });
  if (found != logit_rows_.rend()) refine_row(logit_rows_.rend() - found - 1, count, logits);
}

void Decoder::refine_row(int64_t row, int64_t count, std::span<float> logits) {
  Row& refined = logit_rows_[static_cast<size_t>(row)];
  if (!refined.estimate) return;
  nn::refine_logits(weights_.head,
                    {states_.data() + row * config_.d_model, static_cast<size_t>(config_.d_model)},
                    count, refined.estimate_error, logits);
}

int64_t Decoder::most_tokens() const {
  return std::min(config_.max_positions, cache_.max_pages() * KeyValuePages::kTokens);
}

trace::Work Decoder::attention_work() const {
  double keys = 0;
  for (const Row& row : rows_) keys += static_cast<double>(row.position + 1);
  const DType type = kernels::operand_type(cache_.shape().format);
  return {.operations = 4 * keys * static_cast<double>(config_.query_width()),
          .weight_bytes = keys * static_cast<double>(2 * config_.kv_width() * dtype_bytes(type)),
          .arithmetic = type};
}

size_t Decoder::activation_bytes() const {
  return static_cast<size_t>(states_.size() + x_.size() + h_.size() + qkv_.size() + heads_.size() +
                             gate_.size() + up_.size()) *
             sizeof(float) +
         attention_scratch_.bytes() + row_blocks_.bytes();
}

}  // namespace quintet::language
