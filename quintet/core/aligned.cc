#include "quintet/core/aligned.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string>

namespace quintet {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t bytes, size_t alignment) {
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (rounded < bytes) throw std::bad_alloc();
  return rounded;
}

// Zeroed memory at a huge-page boundary; pages that are never touched cost nothing.
std::byte* map_huge(size_t bytes) {
  const size_t room = round_up(bytes, kHugePage) + kHugePage;
  void* start = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(start);
  const size_t skipped =
      round_up(reinterpret_cast<uintptr_t>(begin), kHugePage) - reinterpret_cast<uintptr_t>(begin);
  if (skipped > 0) munmap(begin, skipped);
  if (skipped < kHugePage) munmap(begin + room - (kHugePage - skipped), kHugePage - skipped);
  // Only a wish: without huge pages everything works, with more misses of the address cache.
  madvise(begin + skipped, room - kHugePage, MADV_HUGEPAGE);
  return begin + skipped;
}

}  // namespace

bool huge_pages_offered() {
  // "always [madvise] never": the brackets show the choice. Without transparent huge pages there is
  // no such file.
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string choices;
  std::getline(file, choices);
  return !choices.empty() && choices.find("[never]") == std::string::npos;
}

AlignedBytes::AlignedBytes(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes >= kHugePage) {
    data_ = std::unique_ptr<std::byte, Free>(map_huge(bytes), Free(round_up(bytes, kHugePage)));
    return;
  }
  const size_t rounded = round_up(bytes, kAlignment);
  auto* p = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (p == nullptr) throw std::bad_alloc();
  std::memset(p, 0, rounded);
  data_ = std::unique_ptr<std::byte, Free>(p, Free(0));
}

void AlignedBytes::Free::operator()(std::byte* p) const {
  if (mapped_bytes > 0) {
    munmap(p, mapped_bytes);
  } else {
    std::free(p);
  }
}

}  // namespace quintet
