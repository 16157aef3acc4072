#include "quintet/engine/nn/weight_formats.h"

#include <algorithm>
#include <array>

#include "quintet/core/check.h"
#include "quintet/kernels/gemv/int4.h"

namespace quintet::nn {
namespace {

using kernels::kPanelWidth;
using kernels::PackedWeights;
using kernels::WeightFormat;

// A tensor beside the panels, with the same number of elements for each panel.
struct Companion {
  const char* suffix;
  DType dtype;
  int64_t (*elements_per_panel)(int64_t k);
  void (*bind)(PackedWeights& weights, const std::byte* data);

  int64_t panel_bytes(int64_t k) const { return elements_per_panel(k) * dtype_bytes(dtype); }
};

constexpr Companion kChannelScales = {".scales", DType::kF32, [](int64_t) { return kPanelWidth; },
                                      [](PackedWeights& weights, const std::byte* data) {
                                        weights.scales = reinterpret_cast<const float*>(data);
                                      }};

struct FormatTraits {
  WeightFormat format;
  std::string_view name;
  DType dtype;  // Of the panels.
  std::array<int64_t, 2>
      group;  // What a panel has for each group of inputs: channels and elements.
  std::span<const Companion> companions;
};

constexpr auto kChannelCompanions = std::to_array({kChannelScales});

constexpr auto kFormats = std::to_array<FormatTraits>({
    {WeightFormat::kF32, "fp32", DType::kF32, {kPanelWidth, 1}, {}},
    {WeightFormat::kBF16, "bf16", DType::kBF16, {kPanelWidth, 2}, {}},
    {WeightFormat::kI8, "int8", DType::kU8, {kPanelWidth, 4}, kChannelCompanions},
    // Its scales lie between its weights.
    {WeightFormat::kI4, "int4", DType::kU8, {1, kernels::kInt4BlockBytes}, {}},
});

const FormatTraits& traits(WeightFormat format) {
  const auto found = std::ranges::find(kFormats, format, &FormatTraits::format);
  QT_CHECK(found != kFormats.end());
  return *found;
}

}  // namespace

std::string_view weight_format_name(WeightFormat format) { return traits(format).name; }

std::optional<WeightFormat> weight_format_from_name(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name, &FormatTraits::name);
  if (found == kFormats.end()) return std::nullopt;
  return found->format;
}

std::vector<StoredTensor> stored_tensors(const std::string& name, WeightFormat format, int64_t n,
                                         int64_t k) {
  const FormatTraits& f = traits(format);
  const int64_t panels = kernels::panel_count(n);
  const int64_t groups = kernels::padded_depth(format, k) / kernels::group_size(format);
  std::vector<StoredTensor> tensors = {
      {name + ".panels", f.dtype, {panels, groups, f.group[0], f.group[1]}}};
  for (const Companion& c : f.companions) {
    tensors.push_back({name + c.suffix, c.dtype, {panels * c.elements_per_panel(k)}});
  }
  return tensors;
}

PackedWeights stored_weights(WeightFormat format, int64_t n, int64_t k,
                             std::span<const std::byte* const> data) {
  PackedWeights weights = {.format = format, .n = n, .k = k, .panels = data[0]};
  size_t next = 1;
  for (const Companion& c : traits(format).companions) c.bind(weights, data[next++]);
  return weights;
}

void pack_panel(WeightFormat format, int64_t panel, MatrixView<const float> w,
                const PackHints& hints, std::span<std::byte* const> data) {
  const FormatTraits& f = traits(format);
  std::byte* panels = data[0] + panel * kernels::panel_bytes(format, w.cols);
  if (format == WeightFormat::kI4) {
    return kernels::pack_weights_i4(w, hints.importance, panels, hints.grids);
  }
  std::byte* scales =
      f.companions.empty() ? nullptr : data[1] + panel * f.companions[0].panel_bytes(w.cols);
  kernels::pack_weights(format, w, panels, reinterpret_cast<float*>(scales));
}

}  // namespace quintet::nn
