#include "quintet/engine/models/whisper/weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "quintet/core/check.h"
#include "quintet/engine/models/whisper/layers.h"
#include "quintet/engine/models/whisper/source.h"
#include "quintet/kernels/gemv/int4.h"

namespace quintet::whisper {
namespace {

using kernels::group_size;
using kernels::kPanelWidth;
using kernels::padded_depth;
using kernels::panel_count;
using kernels::WeightFormat;

bool is_matrix(LayerKind kind) {
  return kind == LayerKind::kLinear || kind == LayerKind::kConv || kind == LayerKind::kEmbedding;
}

// Read for every token, and so bound by memory. cross_kv runs once over the whole audio.
bool is_decoding(const LayerSpec& spec) {
  return spec.name.starts_with("decoder.layers.") && !spec.name.ends_with(".cross_kv");
}

// Convolutions are bfloat16 in int8 models: they see the raw spectrogram, are the most sensitive
// stage and 3 % of the work.
WeightFormat format_of(const LayerSpec& spec, Precision precision) {
  const bool is_conv = spec.kind == LayerKind::kConv;
  switch (precision) {
    case Precision::kF32: return WeightFormat::kF32;
    case Precision::kBF16: return WeightFormat::kBF16;
    case Precision::kInt8: return is_conv ? WeightFormat::kBF16 : WeightFormat::kI8;
    case Precision::kInt4:
      if (is_conv) return WeightFormat::kBF16;
      return is_decoding(spec) ? WeightFormat::kI4 : WeightFormat::kI8;
  }
  return WeightFormat::kF32;
}

// The head is read once a token: int8 models estimate with 4 bits and pick int8 rows.
bool is_two_stage(LayerKind kind, Precision precision) {
  return kind == LayerKind::kEmbedding &&
         (precision == Precision::kInt8 || precision == Precision::kInt4);
}

// A tensor that a packed model holds.
struct PackedTensor {
  std::string name;
  DType dtype;
  Shape shape;

  int64_t bytes() const { return element_count(shape) * dtype_bytes(dtype); }
};

// The tensors of one layer, in the order in which fill_layer writes them.
std::vector<PackedTensor> packed_tensors(const LayerSpec& spec, Precision precision) {
  if (spec.kind == LayerKind::kNorm) {
    return {{spec.name + ".gamma", DType::kF32, {spec.n}},
            {spec.name + ".beta", DType::kF32, {spec.n}}};
  }
  if (spec.kind == LayerKind::kTable) return {{spec.name, DType::kF32, {spec.n, spec.k}}};
  if (is_two_stage(spec.kind, precision)) {
    constexpr auto kCoarse = WeightFormat::kI4;
    return {{spec.name + ".coarse",
             DType::kU8,
             {panel_count(spec.n), padded_depth(kCoarse, spec.k) / group_size(kCoarse),
              kernels::kInt4BlockBytes}},
            {spec.name + ".rows", DType::kU8, {spec.n, kernels::row_weight_stride(spec.k)}},
            {spec.name + ".scales", DType::kF32, {spec.n}}};
  }
  const WeightFormat format = format_of(spec, precision);
  const int64_t groups = padded_depth(format, spec.k) / group_size(format);
  const DType dtype = format == WeightFormat::kF32    ? DType::kF32
                      : format == WeightFormat::kBF16 ? DType::kBF16
                                                      : DType::kU8;
  std::vector<PackedTensor> tensors;
  if (format == WeightFormat::kI4) {
    tensors = {
        {spec.name + ".panels", dtype, {panel_count(spec.n), groups, kernels::kInt4BlockBytes}}};
  } else {
    tensors = {{spec.name + ".panels",
                dtype,
                {panel_count(spec.n), groups, kPanelWidth, group_size(format)}}};
  }
  if (format == WeightFormat::kI8) {
    tensors.push_back({spec.name + ".scales", DType::kF32, {panel_count(spec.n) * kPanelWidth}});
  }
  if (spec.kind != LayerKind::kEmbedding) {
    tensors.push_back({spec.name + ".bias", DType::kF32, {spec.n}});
  }
  return tensors;
}

// [n, channels, 3] -> [n, 3, channels]: the order in which three neighbouring frames lie in memory.
void make_time_major(std::vector<float>& weight, int64_t n, int64_t channels) {
  std::vector<float> row(static_cast<size_t>(3 * channels));
  for (int64_t i = 0; i < n; ++i) {
    float* w = weight.data() + i * 3 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t t = 0; t < 3; ++t) row[t * channels + c] = w[c * 3 + t];
    }
    std::copy(row.begin(), row.end(), w);
  }
}

void scale_queries(DenseLayer& layer, const LayerSpec& spec) {
  for (int64_t i = 0; i < spec.query_rows * spec.k; ++i) layer.weight[i] *= spec.query_scale;
  for (int64_t i = 0; i < spec.query_rows; ++i) layer.bias[i] *= spec.query_scale;
}

void fill_floats(const std::vector<float>& values, std::byte* to) {
  std::memcpy(to, values.data(), values.size() * sizeof(float));
}

void fill_two_stages(const DenseLayer& layer, const LayerSpec& spec, const float* importance,
                     ThreadPool& pool, const std::vector<std::byte*>& to) {
  pool.parallel_for(panel_count(spec.n), [&](int64_t p) {
    const int64_t first = p * kPanelWidth;
    const MatrixView<const float> part{layer.weight.data() + first * spec.k,
                                       std::min(kPanelWidth, spec.n - first), spec.k, spec.k};
    kernels::pack_weights_i4(part, importance,
                             to[0] + p * kernels::panel_bytes(WeightFormat::kI4, spec.k));
    kernels::pack_row_weights(part, to[1] + first * kernels::row_weight_stride(spec.k),
                              reinterpret_cast<float*>(to[2]) + first);
  });
}

void fill_panels(const DenseLayer& layer, const LayerSpec& spec, WeightFormat format,
                 const float* importance, ThreadPool& pool, const std::vector<std::byte*>& to) {
  auto* scales = format == WeightFormat::kI8 ? reinterpret_cast<float*>(to[1]) : nullptr;
  pool.parallel_for(panel_count(spec.n), [&](int64_t p) {
    const int64_t first = p * kPanelWidth;
    const MatrixView<const float> part{layer.weight.data() + first * spec.k,
                                       std::min(kPanelWidth, spec.n - first), spec.k, spec.k};
    std::byte* panel = to[0] + p * kernels::panel_bytes(format, spec.k);
    if (format == WeightFormat::kI4) return kernels::pack_weights_i4(part, importance, panel);
    kernels::pack_weights(format, part, panel, scales == nullptr ? nullptr : scales + first);
  });
}

// Writes the tensors of packed_tensors(spec, precision) to `to`. `importance`: of the layer's
// inputs where they are known, otherwise null.
void fill_layer(DenseLayer& layer, const LayerSpec& spec, Precision precision,
                const float* importance, ThreadPool& pool, const std::vector<std::byte*>& to) {
  if (!is_matrix(spec.kind)) {
    fill_floats(layer.weight, to[0]);
    if (spec.kind == LayerKind::kNorm) fill_floats(layer.bias, to[1]);
    return;
  }
  if (spec.kind == LayerKind::kConv) make_time_major(layer.weight, spec.n, spec.k / 3);
  scale_queries(layer, spec);
  if (is_two_stage(spec.kind, precision)) {
    return fill_two_stages(layer, spec, importance, pool, to);
  }
  fill_panels(layer, spec, format_of(spec, precision), importance, pool, to);
  if (spec.kind != LayerKind::kEmbedding) fill_floats(layer.bias, to.back());
}

// The mean squares of a layer's inputs, as far as its norm tells: what it puts out has the mean
// beta and the deviation gamma. Empty where the input is not that of a norm.
Result<std::vector<float>> input_importance(const io::WeightFile& source,
                                            const std::vector<LayerSpec>& specs,
                                            const LayerSpec& spec) {
  std::vector<float> squares;
  for (const LayerSpec& norm : specs) {
    if (spec.norm.empty() || norm.name != spec.norm) continue;
    QT_TRY(const DenseLayer layer, read_layer(source, norm));
    for (size_t i = 0; i < layer.weight.size(); ++i) {
      squares.push_back(layer.weight[i] * layer.weight[i] + layer.bias[i] * layer.bias[i]);
    }
  }
  return squares;
}

// Looks tensors up by name and expected shape; remembers the first one that is not as it must be.
class Binder {
 public:
  Binder(const PackedModel& model, const Config& config) : model_(model) {
    for (LayerSpec& spec : layer_specs(config)) specs_.emplace(spec.name, std::move(spec));
  }

  // `name` is a literal: traces keep it.
  nn::Linear linear(const std::string& prefix, const char* name) {
    const LayerSpec& spec = find_spec(prefix + name);
    const WeightFormat format = format_of(spec, model_.precision);
    const std::vector<const std::byte*> data = find_tensors(spec);
    nn::Linear layer;
    layer.name = name;
    layer.w = {.format = format, .n = spec.n, .k = spec.k, .panels = data[0]};
    if (format == WeightFormat::kI8) layer.w.scales = reinterpret_cast<const float*>(data[1]);
    if (spec.kind != LayerKind::kEmbedding) {
      layer.bias = reinterpret_cast<const float*>(data.back());
    }
    return layer;
  }

  nn::OutputHead head(const std::string& prefix, const char* name) {
    const LayerSpec& spec = find_spec(prefix + name);
    constexpr const char* kHeadName = "output_head";
    nn::OutputHead head;
    if (!is_two_stage(spec.kind, model_.precision)) {
      head.whole = linear(prefix, name);
      head.whole.name = kHeadName;
      return head;
    }
    const std::vector<const std::byte*> data = find_tensors(spec);
    head.coarse.w = {.format = WeightFormat::kI4, .n = spec.n, .k = spec.k, .panels = data[0]};
    head.coarse.name = kHeadName;
    head.exact = {.n = spec.n,
                  .k = spec.k,
                  .rows = data[1],
                  .scales = reinterpret_cast<const float*>(data[2])};
    return head;
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
  const LayerSpec& find_spec(const std::string& name) const {
    const auto found = specs_.find(name);
    QT_CHECK(found != specs_.end());
    return found->second;
  }

  std::vector<const std::byte*> find_tensors(const LayerSpec& spec) {
    std::vector<const std::byte*> data;
    for (const PackedTensor& expected : packed_tensors(spec, model_.precision)) {
      const TensorRef* tensor = model_.tensors.find(expected.name);
      data.push_back(tensor == nullptr ? nullptr : tensor->bytes.data());
      check(expected, tensor);
    }
    return data;
  }

  void check(const PackedTensor& expected, const TensorRef* tensor) {
    if (error_) return;
    if (tensor == nullptr) {
      error_ = Error(Code::kCorrupt, "tensor " + expected.name + " is missing");
    } else if (tensor->shape != expected.shape || tensor->dtype != expected.dtype) {
      error_ =
          Error(Code::kCorrupt,
                "tensor " + expected.name + " is " + std::string(dtype_name(tensor->dtype)) + " " +
                    shape_string(tensor->shape) + ", expected " +
                    std::string(dtype_name(expected.dtype)) + " " + shape_string(expected.shape));
    }
  }

  const PackedModel& model_;
  std::map<std::string, LayerSpec> specs_;
  std::optional<Error> error_;
};

}  // namespace

Result<PackedModel> pack_model(const io::WeightFile& source, const Config& config,
                               Precision precision, ThreadPool& pool) {
  const std::vector<LayerSpec> specs = layer_specs(config);
  const auto aligned = [](int64_t bytes) {
    return (bytes + int64_t{kAlignment} - 1) / int64_t{kAlignment} * int64_t{kAlignment};
  };
  // Before memory is asked for: a few lines of JSON can claim terabytes. Where only a tensor or two
  // are missing, read_layer names them.
  constexpr uint64_t kFarTooMany = 4;
  uint64_t wanted = 0;
  for (const LayerSpec& spec : specs) wanted += static_cast<uint64_t>(spec.n * spec.k);
  uint64_t stored = 0;
  for (const auto& [name, tensor] : source.tensors) stored += tensor.bytes.size();
  if (wanted / kFarTooMany > stored) {
    return Error(Code::kCorrupt, "the configuration asks for " + std::to_string(wanted) +
                                     " weights, the file has only " + std::to_string(stored) +
                                     " bytes of them");
  }
  int64_t total = 0;
  for (const LayerSpec& spec : specs) {
    for (const PackedTensor& t : packed_tensors(spec, precision)) total += aligned(t.bytes());
  }
  PackedModel model;
  model.precision = precision;
  model.tensors.format = "packed";
  model.memory = AlignedBytes(static_cast<size_t>(total));
  std::byte* next = model.memory.data();
  for (const LayerSpec& spec : specs) {
    QT_TRY(DenseLayer layer, read_layer(source, spec));
    std::vector<std::byte*> places;
    for (const PackedTensor& t : packed_tensors(spec, precision)) {
      model.tensors.tensors.emplace(
          t.name, TensorRef{t.dtype, t.shape, {next, static_cast<size_t>(t.bytes())}});
      places.push_back(next);
      next += aligned(t.bytes());
    }
    QT_TRY(const std::vector<float> importance, input_importance(source, specs, spec));
    fill_layer(layer, spec, precision, importance.empty() ? nullptr : importance.data(), pool,
               places);
  }
  return model;
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
