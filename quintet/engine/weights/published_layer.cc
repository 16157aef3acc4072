#include "quintet/engine/weights/published_layer.h"

#include <algorithm>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::weights {
namespace {

Shape published_shape(const LayerSpec& spec, int64_t rows) {
  switch (spec.kind) {
    case LayerKind::kNorm: return {rows};
    case LayerKind::kConv: return {rows, spec.k / 3, 3};
    default: return {rows, spec.k};
  }
}

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

int64_t PublishedLayer::Part::file_row(int64_t row) const {
  if (interleaved_head == 0) return first_row + row;
  const int64_t half = interleaved_head / 2;
  const int64_t in_head = row % interleaved_head;
  return first_row + row - in_head + in_head % half * 2 + in_head / half;
}

void PublishedLayer::Part::read_rows(int64_t first, int64_t count, int64_t columns,
                                     float* to) const {
  const int64_t at_once = interleaved_head == 0 ? count : 1;
  for (int64_t i = 0; i < count; i += at_once) {
    const int64_t row = file_row(first + i);
    if (blocks) {
      io::block_rows_to_f32(*blocks, row, at_once, to + i * columns);
    } else {
      io::to_f32(weight.dtype, bytes_of_rows(weight, columns, row, at_once), to + i * columns);
    }
  }
  if (scales.empty()) return;
  for (int64_t i = 0; i < count; ++i) {
    const float scale = scales[static_cast<size_t>(file_row(first + i))];
    for (int64_t j = 0; j < columns; ++j) to[i * columns + j] /= scale;
  }
}

bool PublishedLayer::Part::read_int4_grids(int64_t first, int64_t count, int64_t columns,
                                           kernels::Int4Grid* to) const {
  if (!blocks) return false;
  const int64_t groups = (columns + kernels::kInt4Group - 1) / kernels::kInt4Group;
  const int64_t at_once = interleaved_head == 0 ? count : 1;
  for (int64_t i = 0; i < count; i += at_once) {
    if (!io::block_int4_grids(*blocks, file_row(first + i), at_once, to + i * groups)) return false;
  }
  return true;
}

PublishedLayer::PublishedLayer(const io::WeightFile& file, const LayerSpec& spec,
                               std::vector<Part> parts)
    : file_(&file),
      has_bias_(has_bias(spec)),
      offset_(file.format == "safetensors" ? spec.hugging_face_offset : 0.0f),
      columns_(spec.k),
      parts_(std::move(parts)) {}

Result<std::vector<PublishedLayer::Part>> PublishedLayer::open_ct2(const io::WeightFile& file,
                                                                   const LayerSpec& spec) {
  const bool norm = spec.kind == LayerKind::kNorm;
  const std::string name =
      spec.kind == LayerKind::kTable ? spec.ct2 : spec.ct2 + (norm ? "/gamma" : "/weight");
  std::vector<Part> parts(1);
  parts[0].rows = spec.n;
  QT_TRY(parts[0].weight, require(file.find(name), name, published_shape(spec, spec.n)));
  if (parts[0].weight.dtype == DType::kI8) {
    QT_TRY(parts[0].scales, row_scales(file, name + "_scale", spec.n));
  }
  if (has_bias(spec)) {
    const std::string bias = spec.ct2 + (norm ? "/beta" : "/bias");
    QT_TRY(parts[0].bias, require(file.find(bias), bias, {spec.n}));
  }
  return parts;
}

Result<void> PublishedLayer::open_weight(const io::WeightFile& file, const std::string& name,
                                         const Shape& shape, Part& part) {
  if (file.layouts.contains(name)) {
    QT_TRY(part.blocks, io::block_tensor(file, name));
    if (part.blocks && part.blocks->shape == shape) return {};
    return Error(Code::kCorrupt, "tensor " + name + " has another shape or layout, " +
                                     file.layouts.at(name) + ", than the configuration asks for, " +
                                     shape_string(shape));
  }
  QT_TRY(part.weight, require(find_with_or_without_prefix(file, name), name, shape));
  return {};
}

Result<std::vector<PublishedLayer::Part>> PublishedLayer::open_parts(
    const io::WeightFile& file, const LayerSpec& spec,
    const std::vector<PublishedPart>& published) {
  std::vector<Part> parts;
  for (const PublishedPart& from : published) {
    Part part = {.rows = from.rows != 0 ? from.rows : spec.n / std::ssize(published),
                 .first_row = from.first_row,
                 .interleaved_head = from.interleaved_head};
    const int64_t tensor_rows = from.tensor_rows != 0 ? from.tensor_rows : part.rows;
    const std::string name = spec.kind == LayerKind::kTable ? from.stem : from.stem + ".weight";
    QT_TRY_VOID(open_weight(file, name, published_shape(spec, tensor_rows), part));
    const std::string bias = from.stem + ".bias";
    const TensorRef* tensor = find_with_or_without_prefix(file, bias);
    // Whisper's key projections have no bias: it would shift all scores of a query alike.
    const bool optional = from.stem.ends_with("k_proj") && tensor == nullptr;
    if (has_bias(spec) && !optional) {
      QT_TRY(part.bias, require(tensor, bias, {tensor_rows}));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<PublishedLayer> PublishedLayer::open(const io::WeightFile& file, const LayerSpec& spec) {
  if (file.format == "ct2") {
    QT_TRY(std::vector<Part> parts, open_ct2(file, spec));
    return PublishedLayer(file, spec, std::move(parts));
  }
  QT_TRY(std::vector<Part> parts,
         open_parts(file, spec, file.format == "gguf" ? spec.gguf : spec.hugging_face));
  return PublishedLayer(file, spec, std::move(parts));
}

// Calls visit(part, first row inside it, rows, rows done before).
template <typename Visit>
void PublishedLayer::for_each_part(int64_t first, int64_t count, Visit&& visit) const {
  int64_t begin = 0;  // Of the part, in the layer.
  for (const Part& part : parts_) {
    const int64_t from = std::max(first, begin);
    const int64_t to = std::min(first + count, begin + part.rows);
    if (from < to) visit(part, from - begin, to - from, from - first);
    begin += part.rows;
  }
}

void PublishedLayer::read_rows(int64_t first, int64_t count, float* to) const {
  for_each_part(first, count, [&](const Part& part, int64_t row, int64_t rows, int64_t done) {
    part.read_rows(row, rows, columns_, to + done * columns_);
  });
  if (offset_ == 0) return;
  for (int64_t i = 0; i < count * columns_; ++i) to[i] += offset_;
}

bool PublishedLayer::read_int4_grids(int64_t first, int64_t count, kernels::Int4Grid* to) const {
  const int64_t groups = (columns_ + kernels::kInt4Group - 1) / kernels::kInt4Group;
  bool all = offset_ == 0;
  for_each_part(first, count, [&](const Part& part, int64_t row, int64_t rows, int64_t done) {
    all = all && part.read_int4_grids(row, rows, columns_, to + done * groups);
  });
  return all;
}

std::vector<float> PublishedLayer::bias() const {
  std::vector<float> bias;
  if (!has_bias_) return bias;
  std::vector<float> in_file;
  for (const Part& part : parts_) {
    in_file.assign(part.bias ? static_cast<size_t>(element_count(part.bias->shape)) : 0, 0.0f);
    if (part.bias) io::to_f32(part.bias->dtype, part.bias->bytes, in_file.data());
    for (int64_t i = 0; i < part.rows; ++i) {
      bias.push_back(part.bias ? in_file[static_cast<size_t>(part.file_row(i))] : 0.0f);
    }
  }
  return bias;
}

void PublishedLayer::release_rows(int64_t first, int64_t count) const {
  for_each_part(first, count, [&](const Part& part, int64_t row, int64_t rows, int64_t) {
    // Rows of a head are read by more than one thread, and blocks are small anyway.
    if (part.interleaved_head != 0 || part.blocks) return;
    file_->release(bytes_of_rows(part.weight, columns_, part.first_row + row, rows));
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

}  // namespace quintet::weights
