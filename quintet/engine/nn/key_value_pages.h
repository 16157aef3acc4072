// The paged cache of decoder self-attention: keys and values of 64 tokens to a page.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/kernels/attention/weighted_values_i8.h"
#include "quintet/kernels/gemm/gemm.h"

namespace quintet::nn {

struct KeyValueShape {
  kernels::WeightFormat format;  // kF32, kBF16 or kI8.
  int64_t layers;
  int64_t heads;  // Of keys and values.
  int64_t head_dim;
};

// Pages have numbers and owners, and are shared by sequences with a common past (Kwon et al. 2023).
// In a page the keys of a head are one panel of a weight matrix [64 tokens, Dh] and its values
// those of one [Dh, 64 tokens] (gemm.h), so that attention multiplies with them where they lie. In
// int8 every token has a scale for its key and one for its value, in each head.
// Threads: one at a time takes, shares and drops; different heads may be stored and read at once.
class KeyValuePages {
 public:
  // `max_bytes`: what all pages together may take.
  KeyValuePages(const KeyValueShape& shape, size_t max_bytes);

  static constexpr int64_t kTokens = kernels::kPanelWidth;

  // A page with one owner; nullopt where that would take more than max_bytes.
  std::optional<int32_t> take();
  void share(int32_t page) { ++owners_[static_cast<size_t>(page)]; }
  // Free once no owner is left.
  void drop(int32_t page);
  int32_t owners(int32_t page) const { return owners_[static_cast<size_t>(page)]; }
  void copy(int32_t from, int32_t to);

  // Shapes: key, value [Dh].
  void store(int64_t layer, int32_t page, int64_t slot, int64_t head, const float* key,
             const float* value);

  kernels::PackedWeights keys(int64_t layer, int32_t page, int64_t head) const;  // [64, Dh]
  // [Dh, 64]; not of kI8.
  kernels::PackedWeights values(int64_t layer, int32_t page, int64_t head) const;
  kernels::Int8ValuePage int8_values(int64_t layer, int32_t page, int64_t head) const;  // Of kI8.

  const KeyValueShape& shape() const { return shape_; }
  size_t page_bytes() const { return page_bytes_; }
  // What is in `page`, for copies on disk.
  std::byte* page_data(int32_t page) { return pages_[static_cast<size_t>(page)].data(); }
  const std::byte* page_data(int32_t page) const {
    return pages_[static_cast<size_t>(page)].data();
  }
  int64_t free_pages() const;  // That take() can still give.
  int64_t max_pages() const { return max_pages_; }
  size_t bytes() const { return pages_.size() * page_bytes_; }

 private:
  void store_int8(std::byte* head, int64_t slot, const float* key, const float* value);

  const std::byte* head_data(int64_t layer, int32_t page, int64_t head) const;

  KeyValueShape shape_;
  // Of one head; its values follow, and then, in int8, the scales of keys and of values.
  int64_t key_bytes_;
  int64_t value_bytes_;
  int64_t head_bytes_;
  size_t page_bytes_;
  int64_t max_pages_;
  std::vector<AlignedBytes> pages_;
  std::vector<int32_t> owners_;  // Of each page; 0: free.
  std::vector<int32_t> free_;
};

}  // namespace quintet::nn
