// The forward pass of a decoder-only language model over any number of sequences.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/result.h"
#include "quintet/engine/decode/step_model.h"
#include "quintet/engine/models/language/config.h"
#include "quintet/engine/models/language/rope_tables.h"
#include "quintet/engine/models/language/weights.h"
#include "quintet/engine/nn/key_value_pages.h"
#include "quintet/engine/nn/paged_attention.h"
#include "quintet/engine/nn/prefix_tree.h"
#include "quintet/engine/nn/row_blocks.h"
#include "quintet/engine/nn/runtime.h"

namespace quintet::language {

struct DecoderOptions {
  kernels::WeightFormat cache_format = kernels::WeightFormat::kF32;
  size_t max_cache_bytes = size_t{4} << 30;
  bool reuse_prefixes = true;  // Keep whole pages for later sequences that begin alike.
};

// Sequences share the pages of a common past. A token's result is the same, bit for bit, whether it
// comes alone, in a chunk of a prompt, beside other sequences or after a prefix that was kept.
class Decoder final : public decode::StepModel {
 public:
  // Rows that go through the layers together; more of them go in chunks.
  static constexpr int64_t kChunkRows = 512;

  // `run`, `config` and `weights` must outlive the decoder.
  Decoder(nn::Runtime& run, const Config& config, const Weights& weights,
          const DecoderOptions& options);

  // A sequence without tokens.
  decode::Sequence begin();
  // A sequence that has the longest prefix of `prompt` whose pages are kept; at least one token is
  // left to run. `kept`: how many tokens it has.
  decode::Sequence begin(std::span<const int32_t> prompt, int64_t& kept);
  // Makes sure that `count` more tokens of `sequence` have room; pages that are only kept for later
  // make way. Errors: kExhausted.
  Result<void> reserve(int32_t sequence, int64_t count);
  // Forgets all but the first `count` tokens.
  void truncate(int32_t sequence, int64_t count);
  std::span<const int32_t> tokens(int32_t sequence) const;
  // Longest sequence that context and cache allow.
  int64_t most_tokens() const;

  int64_t vocabulary() const override { return config_.vocabulary; }
  int64_t max_tokens() const override { return config_.max_positions; }
  // REQUIRES: room for the rows (reserve), tokens of the vocabulary.
  void forward(std::span<const decode::StepRow> rows, MatrixView<float> logits) override;
  void refine(int32_t sequence, int64_t count, std::span<float> logits) override;
  // The same for row `row` of the logits of the last pass.
  void refine_row(int64_t row, int64_t count, std::span<float> logits);
  int32_t fork(int32_t sequence) override;
  void release(int32_t sequence) override;

  // Gets the rows' states: the embeddings (layer 0), what each layer puts out, and after the last
  // norm (layer `layers`), which stands for the last layer. For tests. REQUIRES: one chunk.
  using StateObserver = std::function<void(int64_t layer, MatrixView<const float> states)>;
  void observe(StateObserver observer) { observer_ = std::move(observer); }

  const nn::KeyValuePages& cache() const { return cache_; }
  nn::KeyValuePages& cache() { return cache_; }
  nn::PrefixTree& prefixes() { return prefixes_; }
  size_t activation_bytes() const;

 private:
  struct Sequence {
    bool in_use = false;
    std::vector<int32_t> tokens{};
    std::vector<int32_t> pages{};
    int32_t prefix = nn::PrefixTree::kRoot;  // Of its whole pages that the tree knows,
    int64_t known_pages = 0;                 // which are so many.
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

  int32_t add_sequence();
  Sequence& sequence(int32_t id);
  void place(std::span<const decode::StepRow> rows);
  void keep_whole_pages(Sequence& s);
  void run_placed(MatrixView<float> logits);
  void embed();
  void run_layers();
  void run_layers_in_blocks();
  // The parts of a layer, for rows [first, first + rows).
  void project_in(nn::Runtime& run, int64_t layer, int64_t first, int64_t rows);
  void rotate_and_store(int64_t layer, int64_t kv_head, int64_t first, int64_t rows);
  void attend(int64_t layer);
  void finish_layer(nn::Runtime& run, const Layer& layer, int64_t first, int64_t rows);
  void add_projected(nn::Runtime& run, const nn::Linear& linear, const nn::Norm& norm,
                     MatrixView<const float> from, int64_t first, int64_t rows);
  void run_head(MatrixView<float> logits);
  trace::Work attention_work() const;

  nn::Runtime& run_;
  const Config& config_;
  const Weights& weights_;
  bool reuse_prefixes_;
  nn::KeyValuePages cache_;
  nn::PrefixTree prefixes_;
  RopeTable rope_;
  RopeTable sliding_rope_;
  nn::RowBlocks row_blocks_;
  nn::PagedScratch attention_scratch_;

  std::vector<Sequence> sequences_;
  std::vector<Row> rows_;                  // Of the chunk at hand.
  std::vector<nn::PagedQueries> queries_;  // Neighbours among them of one sequence.
  std::vector<Row> logit_rows_;            // Of the last pass, and what they gave the head.
  AlignedArray<float> states_;             // [logit rows, D]
  AlignedArray<float> x_;                  // [rows, D]
  AlignedArray<float> h_;                  // [rows, D]
  AlignedArray<float> qkv_;                // [rows, (Nh + 2 Nkv) Dh]
  AlignedArray<float> heads_;              // [rows, Nh Dh]
  AlignedArray<float> gate_;               // [rows, ffn]
  AlignedArray<float> up_;                 // [rows, ffn]
  StateObserver observer_;
};

}  // namespace quintet::language
