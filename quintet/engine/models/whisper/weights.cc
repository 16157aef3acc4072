#include "quintet/engine/models/whisper/weights.h"

namespace quintet::whisper {
Result<Weights> bind_weights(const PackedModel& model, const Config& config) {
  weights::Binder bind(model, layer_specs(config));
  Weights w;
  w.conv1 = bind.linear("encoder.", "conv1");
  w.conv2 = bind.linear("encoder.", "conv2");
  w.encoder_positions = bind.table("encoder.positions");
  for (int64_t i = 0; i < config.encoder_layers; ++i) {
    const std::string p = "encoder.layers." + std::to_string(i) + ".";
    w.encoder.push_back({.norm1 = bind.norm(p, "norm1"),
                         .qkv = bind.linear(p, "qkv"),
                         .out = bind.linear(p, "out"),
                         .norm2 = bind.norm(p, "norm2"),
                         .fc1 = bind.linear(p, "fc1"),
                         .fc2 = bind.linear(p, "fc2")});
  }
  w.encoder_norm = bind.norm("encoder.", "norm");
  w.head = bind.head("decoder.", "embedding");
  w.decoder_positions = bind.table("decoder.positions");
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    const std::string p = "decoder.layers." + std::to_string(i) + ".";
    w.decoder.push_back({.norm1 = bind.norm(p, "norm1"),
                         .qkv = bind.linear(p, "qkv"),
                         .out = bind.linear(p, "out"),
                         .cross_norm = bind.norm(p, "cross_norm"),
                         .cross_q = bind.linear(p, "cross_q"),
                         .cross_kv = bind.linear(p, "cross_kv"),
                         .cross_out = bind.linear(p, "cross_out"),
                         .norm2 = bind.norm(p, "norm2"),
                         .fc1 = bind.linear(p, "fc1"),
                         .fc2 = bind.linear(p, "fc2")});
  }
  w.decoder_norm = bind.norm("decoder.", "norm");
  if (bind.error()) return *bind.error();
  return w;
}

}  // namespace quintet::whisper
