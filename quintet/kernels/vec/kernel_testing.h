// For tests of kernels: every instruction set that the processor has, and memory that ends where
// the process may not read.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/core/cpu.h"

namespace quintet::kernels {

// Runs each test at one level and restores the level before.
class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { set_active_isa(GetParam()); }
  void TearDown() override { set_active_isa(before_); }

 private:
  Isa before_ = active_isa();
};

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& info) {
  return std::string(isa_name(info.param));
}

#define QT_EVERY_ISA(suite) \
  using suite = EveryIsa;   \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(supported_isas()), isa_test_name)

// `count` elements whose last one touches a page without access. The start is aligned for T alone,
// so that sizes that are no multiple of a vector are misaligned as well.
template <typename T>
class GuardedArray {
 public:
  explicit GuardedArray(int64_t count) : count_(static_cast<size_t>(count)) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (count_ * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = used + page;
    mapping_ =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    QT_CHECK(mapping_ != MAP_FAILED);
    auto* guard = static_cast<std::byte*>(mapping_) + used;
    QT_CHECK_EQ(mprotect(guard, page, PROT_NONE), 0);
    data_ = reinterpret_cast<T*>(guard) - count_;
  }
  explicit GuardedArray(std::span<const T> values) : GuardedArray(std::ssize(values)) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~GuardedArray() { munmap(mapping_, mapped_bytes_); }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  int64_t size() const { return static_cast<int64_t>(count_); }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }
  std::vector<T> copy() const { return {data_, data_ + count_}; }

 private:
  size_t count_;
  size_t mapped_bytes_;
  void* mapping_;
  T* data_;
};

// Normally distributed, the same for the same seed.
inline std::vector<float> random_floats(int64_t count, float deviation, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& x : values) x = normal(engine);
  return values;
}

// Around the edges of vectors of 4, 8 and 16 lanes and of steps of 4 vectors.
inline std::vector<int64_t> edge_sizes() {
  return {1,  2,  3,  4,  5,  7,  8,  9,  15, 16, 17,  23,  31,  32,  33,
          47, 48, 49, 63, 64, 65, 79, 80, 81, 95, 127, 128, 129, 191, 384};
}

}  // namespace quintet::kernels
