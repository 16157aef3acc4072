// From published weights to the layouts that the kernels read.
#include <algorithm>
#include <cstring>
#include <utility>

#include "quintet/engine/weights/packed_model.h"
#include "quintet/engine/weights/published_layer.h"

namespace quintet::weights {
namespace {

using kernels::kPanelWidth;
using kernels::WeightFormat;

// [rows, channels, 3] -> [rows, 3, channels]: the order in which three neighbouring frames lie in
// memory. `row` is scratch of one row.
void make_time_major(float* weight, int64_t rows, int64_t channels, float* row) {
  for (int64_t i = 0; i < rows; ++i) {
    float* w = weight + i * 3 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t t = 0; t < 3; ++t) row[t * channels + c] = w[c * 3 + t];
    }
    std::copy_n(row, 3 * channels, w);
  }
}

// Writes layers into the tensors of a packed model. A thread holds the rows of one panel in
// float32.
class Packer {
 public:
  Packer(ThreadPool& pool, int64_t widest)
      : pool_(pool),
        lane_floats_((kPanelWidth + 1) * widest),
        lane_grids_(kPanelWidth * ((widest + kernels::kInt4Group - 1) / kernels::kInt4Group)),
        scratch_(pool.threads() * lane_floats_),
        grids_(static_cast<size_t>(pool.threads() * lane_grids_)) {}

  // `importance`: of the layer's inputs, or empty.
  void pack(const PublishedLayer& source, const LayerSpec& spec, WeightFormat format,
            const std::vector<float>& importance, const std::vector<std::byte*>& to) {
    const float* weights = importance.empty() ? nullptr : importance.data();
    std::vector<float> bias = source.bias();
    for (int64_t i = 0; i < spec.query_rows; ++i) bias[i] *= spec.query_scale;
    if (!is_matrix(spec.kind)) {
      source.read_rows(0, spec.n, reinterpret_cast<float*>(to[0]));
    } else {
      pool_.parallel_for_lanes(kernels::panel_count(spec.n), [&](int64_t lane, int64_t panel) {
        pack_panel(source, spec, format, panel, weights, scratch_.data() + lane * lane_floats_,
                   grids_.data() + lane * lane_grids_, to);
      });
    }
    if (!bias.empty()) std::memcpy(to.back(), bias.data(), bias.size() * sizeof(float));
    source.release_rows(0, spec.n);
  }

 private:
  static void pack_panel(const PublishedLayer& source, const LayerSpec& spec, WeightFormat format,
                         int64_t panel, const float* importance, float* scratch,
                         kernels::Int4Grid* grids, const std::vector<std::byte*>& to) {
    const int64_t first = panel * kPanelWidth;
    const int64_t rows = std::min(kPanelWidth, spec.n - first);
    source.read_rows(first, rows, scratch);
    const bool has_grids = spec.query_rows == 0 && source.read_int4_grids(first, rows, grids);
    source.release_rows(first, rows);
    if (spec.kind == LayerKind::kConv) {
      make_time_major(scratch, rows, spec.k / 3, scratch + kPanelWidth * spec.k);
    }
    const int64_t queries = std::clamp<int64_t>(spec.query_rows - first, 0, rows);
    for (int64_t i = 0; i < queries * spec.k; ++i) scratch[i] *= spec.query_scale;
    const auto pack = spec.kind == LayerKind::kEmbedding ? nn::pack_head_panel : nn::pack_panel;
    pack(format, panel, matrix(static_cast<const float*>(scratch), rows, spec.k),
         {importance, has_grids ? grids : nullptr}, to);
  }

  ThreadPool& pool_;
  int64_t lane_floats_;
  int64_t lane_grids_;
  AlignedArray<float> scratch_;
  std::vector<kernels::Int4Grid> grids_;
};

// A few lines of JSON can claim terabytes, which must be refused before memory is asked for. Where
// only a tensor or two are missing, PublishedLayer::open names them.
Result<void> check_size(const io::WeightFile& source, std::span<const LayerSpec> specs) {
  constexpr uint64_t kFarTooMany = 4;
  uint64_t wanted = 0;
  for (const LayerSpec& spec : specs) wanted += static_cast<uint64_t>(spec.n * spec.k);
  uint64_t stored = 0;
  for (const auto& [name, tensor] : source.tensors) stored += tensor.bytes.size();
  if (wanted / kFarTooMany <= stored) return {};
  return Error(Code::kCorrupt, "the configuration asks for " + std::to_string(wanted) +
                                   " weights, the file has only " + std::to_string(stored) +
                                   " bytes of them");
}

// The mean squares of a layer's inputs, as far as its norm tells: what it puts out has the mean
// beta and the deviation gamma. Empty where the input is not that of a norm.
Result<std::vector<float>> input_importance(const io::WeightFile& source,
                                            std::span<const LayerSpec> specs,
                                            const LayerSpec& spec) {
  std::vector<float> squares;
  const auto norm = std::ranges::find(specs, spec.norm, &LayerSpec::name);
  if (norm == specs.end()) return squares;
  QT_TRY(const DenseLayer layer, read_layer(source, *norm));
  for (size_t i = 0; i < layer.weight.size(); ++i) {
    const float beta = layer.bias.empty() ? 0.0f : layer.bias[i];
    squares.push_back(layer.weight[i] * layer.weight[i] + beta * beta);
  }
  return squares;
}

int64_t aligned(int64_t bytes) {
  return (bytes + int64_t{kAlignment} - 1) / int64_t{kAlignment} * int64_t{kAlignment};
}

}  // namespace

Result<PackedModel> pack_model(const io::WeightFile& source, std::span<const LayerSpec> specs,
                               Precision precision, Plan plan, ThreadPool& pool) {
  QT_TRY_VOID(check_size(source, specs));
  const auto format_of = [&](const LayerSpec& spec) {
    return is_matrix(spec.kind) ? plan.at(spec.name).format : WeightFormat::kF32;
  };
  int64_t total = 0;
  int64_t widest = 0;
  for (const LayerSpec& spec : specs) {
    widest = std::max(widest, spec.k);
    for (const nn::StoredTensor& t : layer_tensors(spec, format_of(spec))) {
      total += aligned(t.bytes());
    }
  }
  PackedModel model;
  model.precision = precision;
  model.tensors.format = "packed";
  model.memory = AlignedBytes(static_cast<size_t>(total));
  std::byte* next = model.memory.data();
  Packer packer(pool, widest);
  for (const LayerSpec& spec : specs) {
    QT_TRY(const PublishedLayer layer, PublishedLayer::open(source, spec));
    std::vector<std::byte*> places;
    for (const nn::StoredTensor& t : layer_tensors(spec, format_of(spec))) {
      model.tensors.tensors.emplace(
          t.name, TensorRef{t.dtype, t.shape, {next, static_cast<size_t>(t.bytes())}});
      places.push_back(next);
      next += aligned(t.bytes());
    }
    QT_TRY(const std::vector<float> importance, input_importance(source, specs, spec));
    packer.pack(layer, spec, format_of(spec), importance, places);
  }
  model.plan = std::move(plan);
  return model;
}

}  // namespace quintet::weights
