#include "quintet/engine/models/whisper/weights.h"

#include <map>
#include <optional>

#include "quintet/core/check.h"

namespace quintet::whisper {
namespace {

// Looks tensors up by name and expected shape; remembers the first one that is not as it must be.
class Binder {
 public:
  Binder(const PackedModel& model, const Config& config) : model_(model) {
    for (LayerSpec& spec : layer_specs(config)) specs_.emplace(spec.name, std::move(spec));
  }

  // `name` is a literal: traces keep it.
  nn::Linear linear(const std::string& prefix, const char* name) {
    const LayerSpec& spec = find_spec(prefix + name);
    const std::vector<const std::byte*> data = find_tensors(spec);
    nn::Linear layer;
    layer.name = name;
    layer.w = nn::stored_weights(format_of(spec), spec.n, spec.k, data);
    layer.bias = reinterpret_cast<const float*>(data.back());
    return layer;
  }

  nn::OutputHead head(const std::string& prefix, const char* name) {
    const LayerSpec& spec = find_spec(prefix + name);
    return nn::stored_head(format_of(spec), spec.n, spec.k, find_tensors(spec));
  }

  nn::LayerNorm norm(const std::string& prefix, const char* name) {
    const std::vector<const std::byte*> data = find_tensors(find_spec(prefix + name));
    return {reinterpret_cast<const float*>(data[0]), reinterpret_cast<const float*>(data[1]), name};
  }

  const float* table(const std::string& name) {
    return reinterpret_cast<const float*>(find_tensors(find_spec(name))[0]);
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  kernels::WeightFormat format_of(const LayerSpec& spec) const {
    const auto choice = model_.plan.find(spec.name);
    return choice == model_.plan.end() ? kernels::WeightFormat::kF32 : choice->second.format;
  }

  const LayerSpec& find_spec(const std::string& name) const {
    const auto found = specs_.find(name);
    QT_CHECK(found != specs_.end());
    return found->second;
  }

  std::vector<const std::byte*> find_tensors(const LayerSpec& spec) {
    std::vector<const std::byte*> data;
    for (const nn::StoredTensor& expected : layer_tensors(spec, format_of(spec))) {
      const TensorRef* tensor = model_.tensors.find(expected.name);
      data.push_back(tensor == nullptr ? nullptr : tensor->bytes.data());
      check(expected, tensor);
    }
    return data;
  }

  void check(const nn::StoredTensor& expected, const TensorRef* tensor) {
    if (error_) return;
    if (tensor == nullptr) {
      error_ = Error(Code::kCorrupt, "tensor " + expected.name + " is missing");
    } else if (tensor->shape != expected.shape || tensor->dtype != expected.dtype) {
      error_ = Error(Code::kCorrupt,
                     "tensor " + expected.name + " is " + std::string(dtype_name(tensor->dtype)) +
                         " " + shape_string(tensor->shape) + ", expected " +
                         std::string(dtype_name(expected.dtype)) + " " +
                         shape_string(expected.shape) + "; convert the published model again");
    }
  }

  const PackedModel& model_;
  std::map<std::string, LayerSpec> specs_;
  std::optional<Error> error_;
};

}  // namespace

std::vector<nn::StoredTensor> layer_tensors(const LayerSpec& spec, kernels::WeightFormat format) {
  if (spec.kind == LayerKind::kNorm) {
    return {{spec.name + ".gamma", DType::kF32, {spec.n}},
            {spec.name + ".beta", DType::kF32, {spec.n}}};
  }
  if (spec.kind == LayerKind::kTable) return {{spec.name, DType::kF32, {spec.n, spec.k}}};
  if (spec.kind == LayerKind::kEmbedding) {
    return nn::stored_head_tensors(spec.name, format, spec.n, spec.k);
  }
  auto tensors = nn::stored_tensors(spec.name, format, spec.n, spec.k);
  tensors.push_back({spec.name + ".bias", DType::kF32, {spec.n}});
  return tensors;
}

Result<Weights> bind_weights(const PackedModel& model, const Config& config) {
  Binder bind(model, config);
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
