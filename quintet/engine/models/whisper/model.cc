#include "quintet/engine/models/whisper/model.h"

#include <algorithm>

namespace quintet::whisper {
namespace {

using kernels::WeightFormat;

bool is_quantized(Precision precision) {
  return precision == Precision::kInt8 || precision == Precision::kInt4;
}

// bfloat16 models keep float32 here: vdpbf16ps runs at half the rate of float32 FMA on Intel's
// servers (gemm_bench prints both).
WeightFormat encoder_attention(Precision precision, const Config& config) {
  const bool fits = config.d_model / config.encoder_heads <= kernels::kMaxInt8HeadDim;
  return is_quantized(precision) && fits ? WeightFormat::kI8 : WeightFormat::kF32;
}

// The cross-attention cache is read once per token and bound by memory: fewer bytes pay on every
// processor.
WeightFormat cross_cache_format(Precision precision, const Config& config) {
  if (precision == Precision::kF32) return WeightFormat::kF32;
  const bool fits = config.d_model / config.decoder_heads <= kernels::kMaxInt8HeadDim;
  return is_quantized(precision) && fits ? WeightFormat::kI8 : WeightFormat::kBF16;
}

// Longest row that any layer reads.
int64_t widest_input(const Config& c) {
  return std::max({3 * c.mel_bins, 3 * c.d_model, c.encoder_ffn, c.decoder_ffn});
}

// Largest input of any layer in values, with room for the padding of one group.
int64_t largest_input(const Config& c) {
  const int64_t conv = std::max(c.mel_frames() * nn::padded_width(3 * c.mel_bins),
                                c.audio_positions * nn::padded_width(3 * c.d_model));
  const int64_t rows = std::max(c.audio_positions, c.text_positions);
  const int64_t widest = std::max({c.d_model, c.encoder_ffn, c.decoder_ffn});
  return std::max(conv, rows * nn::padded_width(widest));
}

}  // namespace

uint64_t Model::weight_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : packed.tensors.tensors) bytes += tensor.bytes.size();
  return bytes;
}

Session::Session(const Model& model, ThreadPool& pool, bool baseline)
    : model_(model),
      scratch_(std::max(model.config.mel_frames(), model.config.text_positions),
               largest_input(model.config), pool.threads(), widest_input(model.config)),
      runtime_{.pool = pool, .scratch = scratch_, .fuse = !baseline, .observer = model.observer},
      encoder_(model.config, encoder_attention(model.packed.precision, model.config),
               pool.threads(), !baseline),
      decoder_(runtime_, model.config, model.weights,
               cross_cache_format(model.packed.precision, model.config)) {}

EncodedWindow Session::encode(int64_t frames) {
  whisper::encode(runtime_, model_.config, model_.weights, frames, encoder_);
  return decoder_.add_window(encoder_.output());
}

size_t Session::activation_bytes() const {
  return scratch_.bytes() + encoder_.bytes() + decoder_.activation_bytes();
}

}  // namespace quintet::whisper
