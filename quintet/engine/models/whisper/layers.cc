#include "quintet/engine/models/whisper/layers.h"

#include <cmath>

namespace quintet::whisper {
namespace {

float query_scale(int64_t head_dim) { return 1.0f / std::sqrt(static_cast<float>(head_dim)); }

// Collects the layers of one transformer block; both published formats nest names in prefixes.
class BlockSpecs {
 public:
  BlockSpecs(std::vector<LayerSpec>& specs, const std::string& side, int64_t index, int64_t d_model,
             int64_t heads)
      : specs_(specs),
        ours_(side + ".layers." + std::to_string(index) + "."),
        ct2_(side + "/layer_" + std::to_string(index) + "/"),
        hugging_face_("model." + side + ".layers." + std::to_string(index) + "."),
        d_(d_model),
        query_scale_(query_scale(d_model / heads)) {}

  void norm(const char* name, const char* ct2, const char* hugging_face) {
    specs_.push_back(
        {LayerKind::kNorm, ours_ + name, d_, 1, ct2_ + ct2, {{hugging_face_ + hugging_face}}});
  }

  void linear(const char* name, int64_t n, int64_t k, const char* ct2,
              std::vector<weights::PublishedPart> hugging_face, int64_t query_rows = 0) {
    for (weights::PublishedPart& part : hugging_face) part.stem.insert(0, hugging_face_);
    // A block's norms stand right before the layer that reads them.
    const LayerSpec& before = specs_.back();
    specs_.push_back({LayerKind::kLinear, ours_ + name, n, k, ct2_ + ct2, std::move(hugging_face),
                      query_rows, query_scale_,
                      before.kind == LayerKind::kNorm ? before.name : std::string()});
  }

  void self_attention() {
    norm("norm1", "self_attention/layer_norm", "self_attn_layer_norm");
    linear("qkv", 3 * d_, d_, "self_attention/linear_0",
           {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, d_);
    linear("out", d_, d_, "self_attention/linear_1", {"self_attn.out_proj"});
  }

  void cross_attention() {
    norm("cross_norm", "attention/layer_norm", "encoder_attn_layer_norm");
    linear("cross_q", d_, d_, "attention/linear_0", {"encoder_attn.q_proj"}, d_);
    linear("cross_kv", 2 * d_, d_, "attention/linear_1",
           {"encoder_attn.k_proj", "encoder_attn.v_proj"});
    linear("cross_out", d_, d_, "attention/linear_2", {"encoder_attn.out_proj"});
  }

  void mlp(int64_t ffn) {
    norm("norm2", "ffn/layer_norm", "final_layer_norm");
    linear("fc1", ffn, d_, "ffn/linear_0", {"fc1"});
    linear("fc2", d_, ffn, "ffn/linear_1", {"fc2"});
  }

 private:
  std::vector<LayerSpec>& specs_;
  std::string ours_;
  std::string ct2_;
  std::string hugging_face_;
  int64_t d_;
  float query_scale_;
};

}  // namespace

std::vector<LayerSpec> layer_specs(const Config& c) {
  std::vector<LayerSpec> specs;
  const int64_t d = c.d_model;
  specs.push_back({LayerKind::kConv,
                   "encoder.conv1",
                   d,
                   3 * c.mel_bins,
                   "encoder/conv1",
                   {"model.encoder.conv1"}});
  specs.push_back(
      {LayerKind::kConv, "encoder.conv2", d, 3 * d, "encoder/conv2", {"model.encoder.conv2"}});
  specs.push_back({LayerKind::kTable,
                   "encoder.positions",
                   c.audio_positions,
                   d,
                   "encoder/position_encodings/encodings",
                   {"model.encoder.embed_positions.weight"}});
  for (int64_t i = 0; i < c.encoder_layers; ++i) {
    BlockSpecs block(specs, "encoder", i, d, c.encoder_heads);
    block.self_attention();
    block.mlp(c.encoder_ffn);
  }
  specs.push_back(
      {LayerKind::kNorm, "encoder.norm", d, 1, "encoder/layer_norm", {"model.encoder.layer_norm"}});
  specs.push_back({LayerKind::kEmbedding,
                   "decoder.embedding",
                   c.vocabulary,
                   d,
                   "decoder/embeddings",
                   {"model.decoder.embed_tokens"},
                   0,
                   1,
                   "decoder.norm"});
  specs.push_back({LayerKind::kTable,
                   "decoder.positions",
                   c.text_positions,
                   d,
                   "decoder/position_encodings/encodings",
                   {"model.decoder.embed_positions.weight"}});
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    BlockSpecs block(specs, "decoder", i, d, c.decoder_heads);
    block.self_attention();
    block.cross_attention();
    block.mlp(c.decoder_ffn);
  }
  specs.push_back(
      {LayerKind::kNorm, "decoder.norm", d, 1, "decoder/layer_norm", {"model.decoder.layer_norm"}});
  return specs;
}

}  // namespace quintet::whisper
