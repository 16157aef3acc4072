#include "quintet/engine/models/language/weights.h"

#include "quintet/engine/models/language/layers.h"

namespace quintet::language {

Result<Weights> bind_weights(const weights::PackedModel& model, const Config& config) {
  weights::Binder bind(model, layer_specs(config));
  const auto norm = [&](const std::string& prefix, const char* name) {
    nn::Norm found = bind.norm(prefix, name);
    found.eps = config.norm_eps;
    return found;
  };
  Weights w;
  if (!config.tied_embeddings) w.embedding = bind.lookup("embedding");
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string p = "layers." + std::to_string(i) + ".";
    Layer layer;
    layer.norm1 = norm(p, "norm1");
    layer.qkv = bind.linear(p, "qkv");
    if (config.qk_norm) {
      layer.q_norm = norm(p, "q_norm");
      layer.k_norm = norm(p, "k_norm");
    }
    layer.out = bind.linear(p, "out");
    layer.norm2 = norm(p, "norm2");
    layer.feed_in = {bind.linear(p, "gate"), bind.linear(p, "up"), config.activation};
    layer.down = bind.linear(p, "down");
    if (config.sandwich_norms) {
      layer.out_norm = norm(p, "out_norm");
      layer.down_norm = norm(p, "down_norm");
    }
    w.layers.push_back(layer);
  }
  w.norm = norm("", "norm");
  w.head = bind.head("", "head");
  if (bind.error()) return *bind.error();
  return w;
}

}  // namespace quintet::language
