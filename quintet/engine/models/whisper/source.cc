#include "quintet/engine/models/whisper/source.h"

#include <algorithm>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::whisper {
namespace {

Shape published_shape(const LayerSpec& spec, int64_t rows) {
  switch (spec.kind) {
    case LayerKind::kNorm: return {rows};
    case LayerKind::kConv: return {rows, spec.k / 3, 3};
    default: return {rows, spec.k};
  }
}

bool has_bias(LayerKind kind) { return kind != LayerKind::kTable && kind != LayerKind::kEmbedding; }

Error missing(const std::string& name) {
  return Error(Code::kCorrupt, "tensor " + name + " is missing");
}

Result<TensorRef> require(const TensorRef* tensor, const std::string& name, const Shape& shape) {
  if (tensor == nullptr) return missing(name);
  if (tensor->shape != shape) {
    return Error(Code::kCorrupt, "tensor " + name + " has shape " + shape_string(tensor->shape) +
                                     ", the configuration asks for " + shape_string(shape));
  }
  if (io::tensor_bytes(tensor->dtype, shape) != tensor->bytes.size()) {
    return Error(Code::kCorrupt, "tensor " + name + " does not have the bytes of its shape");
  }
  return *tensor;
}

// CTranslate2 stores int8 rows as round(w * scale).
Result<std::vector<float>> row_scales(const io::WeightFile& file, const std::string& name,
                                      int64_t n) {
  QT_TRY(const TensorRef tensor, require(file.find(name), name, {n}));
  QT_TRY(std::vector<float> scales, io::to_f32(tensor).with("tensor " + name));
  for (const float scale : scales) {
    if (scale > 0) continue;
    return Error(Code::kCorrupt, "tensor " + name + " holds " + std::to_string(scale) +
                                     ", expected positive values");
  }
  return scales;
}

// Some checkpoints are saved from inside the wrapping class, without its "model." prefix.
const TensorRef* find_with_or_without_prefix(const io::WeightFile& file, const std::string& name) {
  constexpr std::string_view kPrefix = "model.";
  if (const TensorRef* tensor = file.find(name); tensor != nullptr) return tensor;
  return name.starts_with(kPrefix) ? file.find(name.substr(kPrefix.size())) : nullptr;
}

std::span<const std::byte> bytes_of_rows(const TensorRef& tensor, int64_t columns, int64_t first,
                                         int64_t count) {
  const auto row = static_cast<size_t>(columns * dtype_bytes(tensor.dtype));
  return tensor.bytes.subspan(static_cast<size_t>(first) * row, static_cast<size_t>(count) * row);
}

}  // namespace

PublishedLayer::PublishedLayer(const io::WeightFile& file, const LayerSpec& spec,
                               std::vector<Part> parts)
    : file_(&file),
      has_bias_(has_bias(spec.kind)),
      columns_(spec.k),
      rows_per_part_(spec.n / static_cast<int64_t>(parts.size())),
      parts_(std::move(parts)) {}

Result<std::vector<PublishedLayer::Part>> PublishedLayer::open_ct2(const io::WeightFile& file,
                                                                   const LayerSpec& spec) {
  const bool norm = spec.kind == LayerKind::kNorm;
  const std::string name =
      spec.kind == LayerKind::kTable ? spec.ct2 : spec.ct2 + (norm ? "/gamma" : "/weight");
  std::vector<Part> parts(1);
  QT_TRY(parts[0].weight, require(file.find(name), name, published_shape(spec, spec.n)));
  if (parts[0].weight.dtype == DType::kI8) {
    QT_TRY(parts[0].scales, row_scales(file, name + "_scale", spec.n));
  }
  if (has_bias(spec.kind)) {
    const std::string bias = spec.ct2 + (norm ? "/beta" : "/bias");
    QT_TRY(parts[0].bias, require(file.find(bias), bias, {spec.n}));
  }
  return parts;
}

Result<std::vector<PublishedLayer::Part>> PublishedLayer::open_hugging_face(
    const io::WeightFile& file, const LayerSpec& spec) {
  const int64_t rows = spec.n / static_cast<int64_t>(spec.hugging_face.size());
  std::vector<Part> parts;
  for (const std::string& stem : spec.hugging_face) {
    const std::string name = spec.kind == LayerKind::kTable ? stem : stem + ".weight";
    Part part;
    QT_TRY(part.weight,
           require(find_with_or_without_prefix(file, name), name, published_shape(spec, rows)));
    const std::string bias = stem + ".bias";
    const TensorRef* tensor = find_with_or_without_prefix(file, bias);
    // Key projections have no bias: it would shift all scores of a query alike.
    const bool optional = stem.ends_with("k_proj") && tensor == nullptr;
    if (has_bias(spec.kind) && !optional) {
      QT_TRY(part.bias, require(tensor, bias, {rows}));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<PublishedLayer> PublishedLayer::open(const io::WeightFile& file, const LayerSpec& spec) {
  QT_TRY(std::vector<Part> parts,
         file.format == "ct2" ? open_ct2(file, spec) : open_hugging_face(file, spec));
  return PublishedLayer(file, spec, std::move(parts));
}

// Calls visit(part, first row inside it, rows, rows done before).
template <typename Visit>
void PublishedLayer::for_each_part(int64_t first, int64_t count, Visit&& visit) const {
  for (int64_t done = 0; done < count;) {
    const int64_t row = first + done;
    const int64_t inside = row % rows_per_part_;
    const int64_t rows = std::min(count - done, rows_per_part_ - inside);
    visit(parts_[static_cast<size_t>(row / rows_per_part_)], inside, rows, done);
    done += rows;
  }
}

void PublishedLayer::read_rows(int64_t first, int64_t count, float* to) const {
  for_each_part(first, count, [&](const Part& part, int64_t row, int64_t rows, int64_t done) {
    float* out = to + done * columns_;
    io::to_f32(part.weight.dtype, bytes_of_rows(part.weight, columns_, row, rows), out);
    if (part.scales.empty()) return;
    for (int64_t i = 0; i < rows; ++i) {
      const float scale = part.scales[static_cast<size_t>(row + i)];
      for (int64_t j = 0; j < columns_; ++j) out[i * columns_ + j] /= scale;
    }
  });
}

std::vector<float> PublishedLayer::bias() const {
  if (!has_bias_) return {};
  std::vector<float> bias(static_cast<size_t>(rows_per_part_) * parts_.size());
  float* to = bias.data();
  for (const Part& part : parts_) {
    if (part.bias) io::to_f32(part.bias->dtype, part.bias->bytes, to);
    to += rows_per_part_;
  }
  return bias;
}

void PublishedLayer::release_rows(int64_t first, int64_t count) const {
  for_each_part(first, count, [&](const Part& part, int64_t row, int64_t rows, int64_t) {
    file_->release(bytes_of_rows(part.weight, columns_, row, rows));
  });
}

Result<DenseLayer> read_layer(const io::WeightFile& file, const LayerSpec& spec) {
  QT_TRY(const PublishedLayer source, PublishedLayer::open(file, spec));
  DenseLayer layer;
  layer.weight.resize(static_cast<size_t>(spec.n * spec.k));
  source.read_rows(0, spec.n, layer.weight.data());
  layer.bias = source.bias();
  return layer;
}

}  // namespace quintet::whisper
