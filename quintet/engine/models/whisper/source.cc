#include "quintet/engine/models/whisper/source.h"

#include "quintet/core/check.h"

namespace quintet::whisper {
namespace {

Shape published_shape(const LayerSpec& spec, int64_t rows) {
  switch (spec.kind) {
    case LayerKind::kNorm: return {rows};
    case LayerKind::kConv: return {rows, spec.k / 3, 3};
    default: return {rows, spec.k};
  }
}

Result<std::vector<float>> read_floats(const TensorRef& tensor, const std::string& name,
                                       const Shape& shape) {
  if (tensor.shape != shape) {
    return Error(Code::kCorrupt, "tensor " + name + " has shape " + shape_string(tensor.shape) +
                                     ", the configuration asks for " + shape_string(shape));
  }
  return io::to_f32(tensor).with("tensor " + name);
}

Error missing(const std::string& name) {
  return Error(Code::kCorrupt, "tensor " + name + " is missing");
}

// CTranslate2 stores int8 rows as round(w * scale).
Result<void> dequantize(const io::WeightFile& file, const std::string& name, int64_t n, int64_t k,
                        std::vector<float>& weight) {
  const TensorRef* scale_tensor = file.find(name + "_scale");
  if (scale_tensor == nullptr) return missing(name + "_scale");
  QT_TRY(const std::vector<float> scale, read_floats(*scale_tensor, name + "_scale", {n}));
  for (int64_t i = 0; i < n; ++i) {
    if (!(scale[i] > 0)) {
      return Error(Code::kCorrupt, "tensor " + name + "_scale holds " + std::to_string(scale[i]) +
                                       ", expected positive values");
    }
    for (int64_t j = 0; j < k; ++j) weight[i * k + j] /= scale[i];
  }
  return {};
}

Result<DenseLayer> read_ct2_layer(const io::WeightFile& file, const LayerSpec& spec) {
  const bool norm = spec.kind == LayerKind::kNorm;
  const std::string weight_name =
      spec.kind == LayerKind::kTable ? spec.ct2 : spec.ct2 + (norm ? "/gamma" : "/weight");
  const TensorRef* weight = file.find(weight_name);
  if (weight == nullptr) return missing(weight_name);
  DenseLayer layer;
  QT_TRY(layer.weight, read_floats(*weight, weight_name, published_shape(spec, spec.n)));
  if (weight->dtype == DType::kI8) {
    QT_TRY_VOID(dequantize(file, weight_name, spec.n, spec.k, layer.weight));
  }
  if (spec.kind == LayerKind::kTable || spec.kind == LayerKind::kEmbedding) return layer;
  const std::string bias_name = spec.ct2 + (norm ? "/beta" : "/bias");
  const TensorRef* bias = file.find(bias_name);
  if (bias == nullptr) return missing(bias_name);
  QT_TRY(layer.bias, read_floats(*bias, bias_name, {spec.n}));
  return layer;
}

// Some checkpoints are saved from inside the wrapping class, without its "model." prefix.
const TensorRef* find_with_or_without_prefix(const io::WeightFile& file, const std::string& name) {
  constexpr std::string_view kPrefix = "model.";
  if (const TensorRef* tensor = file.find(name); tensor != nullptr) return tensor;
  return name.starts_with(kPrefix) ? file.find(name.substr(kPrefix.size())) : nullptr;
}

Result<DenseLayer> read_hugging_face_layer(const io::WeightFile& file, const LayerSpec& spec) {
  DenseLayer layer;
  const auto parts = static_cast<int64_t>(spec.hugging_face.size());
  const int64_t rows = spec.n / parts;
  for (const std::string& stem : spec.hugging_face) {
    const std::string name = spec.kind == LayerKind::kTable ? stem : stem + ".weight";
    const TensorRef* weight = find_with_or_without_prefix(file, name);
    if (weight == nullptr) return missing(name);
    QT_TRY(const std::vector<float> part, read_floats(*weight, name, published_shape(spec, rows)));
    layer.weight.insert(layer.weight.end(), part.begin(), part.end());
    if (spec.kind == LayerKind::kTable || spec.kind == LayerKind::kEmbedding) continue;
    const TensorRef* bias = find_with_or_without_prefix(file, stem + ".bias");
    // Key projections have no bias: it would shift all scores of a query alike.
    if (bias == nullptr && !stem.ends_with("k_proj")) return missing(stem + ".bias");
    if (bias == nullptr) {
      layer.bias.resize(layer.bias.size() + static_cast<size_t>(rows));
    } else {
      QT_TRY(const std::vector<float> values, read_floats(*bias, stem + ".bias", {rows}));
      layer.bias.insert(layer.bias.end(), values.begin(), values.end());
    }
  }
  return layer;
}

}  // namespace

Result<DenseLayer> read_layer(const io::WeightFile& file, const LayerSpec& spec) {
  return file.format == "ct2" ? read_ct2_layer(file, spec) : read_hugging_face_layer(file, spec);
}

}  // namespace quintet::whisper
