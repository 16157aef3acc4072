#include "quintet/engine/nn/key_value_pages.h"

#include <cstring>

#include "quintet/core/check.h"

namespace quintet::nn {

using kernels::kPanelLineBytes;
using kernels::kPanelWidth;
using kernels::WeightFormat;

namespace {

// The place of input k of channel n in panels of 32-bit words: group, then channel, then the
// element in the word.
std::byte* element(std::byte* panels, int64_t panel_bytes, int64_t element_bytes, int64_t n,
                   int64_t k) {
  const int64_t group = 4 / element_bytes;
  return panels + n / kPanelWidth * panel_bytes + k / group * kPanelLineBytes +
         n % kPanelWidth * 4 + k % group * element_bytes;
}

}  // namespace

KeyValuePages::KeyValuePages(const KeyValueShape& shape, size_t max_bytes)
    : shape_(shape),
      key_bytes_(kernels::packed_bytes(shape.format, kTokens, shape.head_dim)),
      head_bytes_(key_bytes_ + kernels::packed_bytes(shape.format, shape.head_dim, kTokens)),
      page_bytes_(static_cast<size_t>(shape.layers * shape.heads * head_bytes_)),
      max_pages_(static_cast<int64_t>(max_bytes / page_bytes_)) {
  QT_CHECK(shape.format == WeightFormat::kF32 || shape.format == WeightFormat::kBF16);
}

std::optional<int32_t> KeyValuePages::take() {
  if (free_.empty()) {
    if (std::ssize(pages_) == max_pages_) return std::nullopt;
    free_.push_back(static_cast<int32_t>(pages_.size()));
    pages_.emplace_back(page_bytes_);
    owners_.push_back(0);
  }
  const int32_t page = free_.back();
  free_.pop_back();
  owners_[static_cast<size_t>(page)] = 1;
  return page;
}

void KeyValuePages::drop(int32_t page) {
  int32_t& owners = owners_[static_cast<size_t>(page)];
  QT_CHECK_LT(0, owners);
  if (--owners == 0) free_.push_back(page);
}

void KeyValuePages::copy(int32_t from, int32_t to) {
  std::memcpy(page_data(to), page_data(from), page_bytes_);
}

int64_t KeyValuePages::free_pages() const {
  return max_pages_ - std::ssize(pages_) + std::ssize(free_);
}

const std::byte* KeyValuePages::head_data(int64_t layer, int32_t page, int64_t head) const {
  return page_data(page) + (layer * shape_.heads + head) * head_bytes_;
}

void KeyValuePages::store(int64_t layer, int32_t page, int64_t slot, int64_t head,
                          const float* key, const float* value) {
  auto* k = const_cast<std::byte*>(head_data(layer, page, head));
  std::byte* v = k + key_bytes_;
  const int64_t value_panel = kernels::panel_bytes(shape_.format, kTokens);
  if (shape_.format == WeightFormat::kF32) {
    for (int64_t d = 0; d < shape_.head_dim; ++d) {
      std::memcpy(element(k, key_bytes_, 4, slot, d), &key[d], 4);
      std::memcpy(element(v, value_panel, 4, d, slot), &value[d], 4);
    }
    return;
  }
  for (int64_t d = 0; d < shape_.head_dim; ++d) {
    const bf16 rounded_key = bf16_from_f32(key[d]);
    const bf16 rounded_value = bf16_from_f32(value[d]);
    std::memcpy(element(k, key_bytes_, 2, slot, d), &rounded_key, 2);
    std::memcpy(element(v, value_panel, 2, d, slot), &rounded_value, 2);
  }
}

kernels::PackedWeights KeyValuePages::keys(int64_t layer, int32_t page, int64_t head) const {
  return {shape_.format, kTokens, shape_.head_dim, head_data(layer, page, head), nullptr};
}

kernels::PackedWeights KeyValuePages::values(int64_t layer, int32_t page, int64_t head) const {
  return {shape_.format, shape_.head_dim, kTokens, head_data(layer, page, head) + key_bytes_,
          nullptr};
}

}  // namespace quintet::nn
