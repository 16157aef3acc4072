#include "quintet/engine/models/language/layers.h"

#include <utility>

#include "quintet/engine/models/language/families.h"

namespace quintet::language {
namespace {

using kernels::WeightFormat;
using weights::LayerKind;
using weights::LayerSpec;
using weights::PublishedPart;

// Collects the layers of one transformer block.
class BlockSpecs {
 public:
  BlockSpecs(std::vector<LayerSpec>& specs, const Config& config, int64_t index)
      : specs_(specs),
        c_(config),
        ours_("layers." + std::to_string(index) + "."),
        hugging_face_("model.layers." + std::to_string(index) + "."),
        gguf_("blk." + std::to_string(index) + ".") {}

  void norm(const char* name, int64_t n, const char* hugging_face, const char* gguf) {
    specs_.push_back({.kind = LayerKind::kNorm,
                      .name = ours_ + name,
                      .n = n,
                      .k = 1,
                      .ct2 = {},
                      .hugging_face = {hugging_face_ + hugging_face},
                      .gguf = {gguf_ + gguf},
                      .has_bias = false,
                      .hugging_face_offset = c_.offset_norms ? 1.0f : 0.0f});
  }

  void linear(const char* name, int64_t n, int64_t k, bool bias,
              std::vector<PublishedPart> hugging_face, std::vector<PublishedPart> gguf,
              const char* norm = nullptr) {
    for (PublishedPart& part : hugging_face) part.stem.insert(0, hugging_face_);
    for (PublishedPart& part : gguf) part.stem.insert(0, gguf_);
    specs_.push_back({.kind = LayerKind::kLinear,
                      .name = ours_ + name,
                      .n = n,
                      .k = k,
                      .ct2 = {},
                      .hugging_face = std::move(hugging_face),
                      .norm = norm == nullptr ? std::string() : ours_ + norm,
                      .gguf = std::move(gguf),
                      .has_bias = bias});
  }

  void attention() {
    norm("norm1", c_.d_model, "input_layernorm", "attn_norm");
    linear("qkv", c_.query_width() + 2 * c_.kv_width(), c_.d_model, c_.qkv_bias, qkv_parts(),
           gguf_qkv_parts(), "norm1");
    if (c_.qk_norm) {
      norm("q_norm", c_.head_dim, "self_attn.q_norm", "attn_q_norm");
      norm("k_norm", c_.head_dim, "self_attn.k_norm", "attn_k_norm");
    }
    linear("out", c_.d_model, c_.query_width(), c_.out_bias, {"self_attn.o_proj"}, {"attn_output"});
    if (c_.sandwich_norms) {
      norm("out_norm", c_.d_model, "post_attention_layernorm", "post_attention_norm");
    }
  }

  void feed_forward() {
    norm("norm2", c_.d_model,
         c_.sandwich_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm", "ffn_norm");
    std::vector<PublishedPart> gate = {"mlp.gate_proj"};
    std::vector<PublishedPart> up = {"mlp.up_proj"};
    std::vector<PublishedPart> gguf_gate = {"ffn_gate"};
    std::vector<PublishedPart> gguf_up = {"ffn_up"};
    if (c_.fused_projections) {
      gate = {part_of("mlp.gate_up_proj", c_.ffn, 0, 2 * c_.ffn)};
      up = {part_of("mlp.gate_up_proj", c_.ffn, c_.ffn, 2 * c_.ffn)};
      gguf_gate = {part_of("ffn_up", c_.ffn, 0, 2 * c_.ffn)};
      gguf_up = {part_of("ffn_up", c_.ffn, c_.ffn, 2 * c_.ffn)};
    }
    linear("gate", c_.ffn, c_.d_model, c_.mlp_bias, std::move(gate), std::move(gguf_gate), "norm2");
    linear("up", c_.ffn, c_.d_model, c_.mlp_bias, std::move(up), std::move(gguf_up), "norm2");
    linear("down", c_.d_model, c_.ffn, c_.mlp_bias, {"mlp.down_proj"}, {"ffn_down"});
    if (c_.sandwich_norms) {
      norm("down_norm", c_.d_model, "post_feedforward_layernorm", "post_ffw_norm");
    }
  }

 private:
  static PublishedPart part_of(const char* stem, int64_t rows, int64_t first, int64_t all) {
    PublishedPart part(stem, rows);
    part.first_row = first;
    part.tensor_rows = all;
    return part;
  }

  std::vector<PublishedPart> qkv_parts() const {
    if (c_.fused_projections) return {"self_attn.qkv_proj"};
    return {{"self_attn.q_proj", c_.query_width()},
            {"self_attn.k_proj", c_.kv_width()},
            {"self_attn.v_proj", c_.kv_width()}};
  }

  std::vector<PublishedPart> gguf_qkv_parts() const {
    if (c_.fused_projections) return {"attn_qkv"};
    PublishedPart q("attn_q", c_.query_width());
    PublishedPart k("attn_k", c_.kv_width());
    const Family* family = find_family(c_.family);
    if (family != nullptr && family->gguf_interleaved) {
      q.interleaved_head = k.interleaved_head = c_.head_dim;
    }
    return {std::move(q), std::move(k), {"attn_v", c_.kv_width()}};
  }

  std::vector<LayerSpec>& specs_;
  const Config& c_;
  std::string ours_;
  std::string hugging_face_;
  std::string gguf_;
};

WeightFormat default_format(const LayerSpec& spec, Precision precision) {
  switch (precision) {
    case Precision::kF32: return WeightFormat::kF32;
    case Precision::kBF16: return WeightFormat::kBF16;
    case Precision::kInt8: break;
    case Precision::kInt4:
      // The head is estimated with 4 bits anyway, and the embedding read a row at a time.
      if (spec.kind == LayerKind::kLinear) return WeightFormat::kI4;
      break;
  }
  return WeightFormat::kI8;
}

}  // namespace

std::vector<LayerSpec> layer_specs(const Config& c) {
  std::vector<LayerSpec> specs;
  if (!c.tied_embeddings) {
    specs.push_back({.kind = LayerKind::kLookup,
                     .name = "embedding",
                     .n = c.vocabulary,
                     .k = c.d_model,
                     .ct2 = {},
                     .hugging_face = {"model.embed_tokens"},
                     .gguf = {"token_embd"},
                     .has_bias = false});
  }
  for (int64_t i = 0; i < c.layers; ++i) {
    BlockSpecs block(specs, c, i);
    block.attention();
    block.feed_forward();
  }
  specs.push_back({.kind = LayerKind::kNorm,
                   .name = "norm",
                   .n = c.d_model,
                   .k = 1,
                   .ct2 = {},
                   .hugging_face = {"model.norm"},
                   .gguf = {"output_norm"},
                   .has_bias = false,
                   .hugging_face_offset = c.offset_norms ? 1.0f : 0.0f});
  specs.push_back({.kind = LayerKind::kEmbedding,
                   .name = "head",
                   .n = c.vocabulary,
                   .k = c.d_model,
                   .ct2 = {},
                   .hugging_face = {c.tied_embeddings ? "model.embed_tokens" : "lm_head"},
                   .norm = "norm",
                   .gguf = {c.tied_embeddings ? "token_embd" : "output"},
                   .has_bias = false});
  return specs;
}

weights::Plan default_plan(const Config& config, Precision precision) {
  weights::Plan plan;
  for (const LayerSpec& spec : layer_specs(config)) {
    if (!is_matrix(spec.kind)) continue;
    plan[spec.name] = {default_format(spec, precision),
                       "as " + std::string(precision_name(precision)) + " models have it"};
  }
  return plan;
}

}  // namespace quintet::language
