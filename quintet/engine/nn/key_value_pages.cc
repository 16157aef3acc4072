#include "quintet/engine/nn/key_value_pages.h"

#include <cstring>

#include "quintet/core/check.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::nn {

using kernels::kPanelLineBytes;
using kernels::kPanelWidth;
using kernels::WeightFormat;

namespace {

// Largest head; check_config allows no more.
constexpr int64_t kMaxInt8Dim = 1024;

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
      value_bytes_(kernels::packed_bytes(shape.format, shape.head_dim, kTokens)),
      head_bytes_(key_bytes_ + value_bytes_ +
                  (shape.format == WeightFormat::kI8 ? 2 * kTokens * int64_t{sizeof(float)} : 0)),
      page_bytes_(static_cast<size_t>(shape.layers * shape.heads * head_bytes_)),
      max_pages_(static_cast<int64_t>(max_bytes / page_bytes_)) {
  QT_CHECK(shape.format != WeightFormat::kI4);
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

void KeyValuePages::store(int64_t layer, int32_t page, int64_t slot, int64_t head, const float* key,
                          const float* value) {
  auto* k = const_cast<std::byte*>(head_data(layer, page, head));
  std::byte* v = k + key_bytes_;
  if (shape_.format == WeightFormat::kI8) return store_int8(k, slot, key, value);
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

void KeyValuePages::store_int8(std::byte* head, int64_t slot, const float* key,
                               const float* value) {
  int8_t bytes[kMaxInt8Dim];
  int32_t sum = 0;
  std::byte* v = head + key_bytes_;
  auto* scales = reinterpret_cast<float*>(v + value_bytes_);
  const int64_t dim = shape_.head_dim;
  const auto quantize = [&](const float* x, float* scale) {
    kernels::quantize_rows(matrix(x, int64_t{1}, dim), {bytes, 1, kMaxInt8Dim, scale, &sum});
  };
  quantize(key, scales + slot);
  for (int64_t d = 0; d < dim; ++d) {
    *element(head, key_bytes_, 1, slot, d) = static_cast<std::byte>(bytes[d] ^ 0x80);
  }
  quantize(value, scales + kTokens + slot);
  const int64_t value_panel = kernels::panel_bytes(WeightFormat::kI8, kTokens);
  for (int64_t d = 0; d < dim; ++d) {
    *element(v, value_panel, 1, d, slot) = static_cast<std::byte>(bytes[d]);
  }
}

kernels::PackedWeights KeyValuePages::keys(int64_t layer, int32_t page, int64_t head) const {
  const std::byte* data = head_data(layer, page, head);
  const bool int8 = shape_.format == WeightFormat::kI8;
  return {shape_.format, kTokens, shape_.head_dim, data,
          int8 ? reinterpret_cast<const float*>(data + key_bytes_ + value_bytes_) : nullptr};
}

kernels::PackedWeights KeyValuePages::values(int64_t layer, int32_t page, int64_t head) const {
  return {shape_.format, shape_.head_dim, kTokens, head_data(layer, page, head) + key_bytes_,
          nullptr};
}

kernels::Int8ValuePage KeyValuePages::int8_values(int64_t layer, int32_t page, int64_t head) const {
  const std::byte* values = head_data(layer, page, head) + key_bytes_;
  return {values, reinterpret_cast<const float*>(values + value_bytes_) + kTokens};
}

}  // namespace quintet::nn
