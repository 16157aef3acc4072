#include "quintet/core/aligned.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace quintet {

AlignedBytes::AlignedBytes(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (rounded < bytes) throw std::bad_alloc();
  auto* p = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (p == nullptr) throw std::bad_alloc();
  data_.reset(p);
  if (bytes >= kHugePage) madvise(p, rounded, MADV_HUGEPAGE);  // Only a wish: failure is harmless.
  std::memset(p, 0, rounded);
}

void AlignedBytes::Free::operator()(std::byte* p) const { std::free(p); }

}  // namespace quintet
