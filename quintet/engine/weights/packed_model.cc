#include "quintet/engine/weights/packed_model.h"

#include "quintet/core/check.h"

namespace quintet::weights {

std::vector<nn::StoredTensor> layer_tensors(const LayerSpec& spec, kernels::WeightFormat format) {
  std::vector<nn::StoredTensor> tensors;
  switch (spec.kind) {
    case LayerKind::kNorm: tensors = {{spec.name + ".gamma", DType::kF32, {spec.n}}}; break;
    case LayerKind::kTable: return {{spec.name, DType::kF32, {spec.n, spec.k}}};
    case LayerKind::kEmbedding: return nn::stored_head_tensors(spec.name, format, spec.n, spec.k);
    case LayerKind::kLinear:
    case LayerKind::kConv:
    case LayerKind::kLookup: tensors = nn::stored_tensors(spec.name, format, spec.n, spec.k); break;
  }
  if (has_bias(spec)) {
    const char* suffix = spec.kind == LayerKind::kNorm ? ".beta" : ".bias";
    tensors.push_back({spec.name + suffix, DType::kF32, {spec.n}});
  }
  return tensors;
}

Binder::Binder(const PackedModel& model, std::span<const LayerSpec> specs) : model_(model) {
  for (const LayerSpec& spec : specs) specs_.emplace(spec.name, spec);
}

nn::Linear Binder::linear(const std::string& prefix, const char* name) {
  const LayerSpec& spec = find_spec(prefix + name);
  const std::vector<const std::byte*> data = find_tensors(spec);
  nn::Linear layer;
  layer.name = name;
  layer.w = nn::stored_weights(format_of(spec), spec.n, spec.k, data);
  if (has_bias(spec)) layer.bias = reinterpret_cast<const float*>(data.back());
  return layer;
}

nn::OutputHead Binder::head(const std::string& prefix, const char* name) {
  const LayerSpec& spec = find_spec(prefix + name);
  return nn::stored_head(format_of(spec), spec.n, spec.k, find_tensors(spec));
}

nn::Norm Binder::norm(const std::string& prefix, const char* name) {
  const LayerSpec& spec = find_spec(prefix + name);
  const std::vector<const std::byte*> data = find_tensors(spec);
  nn::Norm norm = {.gamma = reinterpret_cast<const float*>(data[0]), .name = name};
  if (has_bias(spec)) norm.beta = reinterpret_cast<const float*>(data[1]);
  return norm;
}

kernels::PackedWeights Binder::lookup(const std::string& name) {
  const LayerSpec& spec = find_spec(name);
  return nn::stored_weights(format_of(spec), spec.n, spec.k, find_tensors(spec));
}

const float* Binder::table(const std::string& name) {
  return reinterpret_cast<const float*>(find_tensors(find_spec(name))[0]);
}

kernels::WeightFormat Binder::format_of(const LayerSpec& spec) const {
  const auto choice = model_.plan.find(spec.name);
  return choice == model_.plan.end() ? kernels::WeightFormat::kF32 : choice->second.format;
}

const LayerSpec& Binder::find_spec(const std::string& name) const {
  const auto found = specs_.find(name);
  QT_CHECK(found != specs_.end());
  return found->second;
}

std::vector<const std::byte*> Binder::find_tensors(const LayerSpec& spec) {
  std::vector<const std::byte*> data;
  for (const nn::StoredTensor& expected : layer_tensors(spec, format_of(spec))) {
    const TensorRef* tensor = model_.tensors.find(expected.name);
    data.push_back(tensor == nullptr ? nullptr : tensor->bytes.data());
    check(expected, tensor);
  }
  return data;
}

void Binder::check(const nn::StoredTensor& expected, const TensorRef* tensor) {
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

}  // namespace quintet::weights
