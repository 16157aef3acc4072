// What this machine can do at most, measured here and now: multiply-adds in registers, and reading
// from each level of memory. Whatever a kernel takes stands against these.
// Source: Williams, Waterman, Patterson 2009, "Roofline".
#pragma once

#include <cstdint>

#include "quintet/core/dtype.h"
#include "quintet/core/thread_pool.h"

namespace quintet::kernels {

// Rates of a number of threads together; 0 where the architecture has no loop to measure with.
struct Rates {
  double f32 = 0;  // Operations a second; a multiply-add is two.
  double bf16 = 0;
  double i8 = 0;
  double memory = 0;  // Bytes a second, read in order.
  double l3 = 0;
  double l2 = 0;

  double operations_per_second(DType arithmetic) const;
};

struct Roofline {
  int threads = 1;
  // Room in the caches as far as one can rely on it: half of each; the second level once for each
  // thread, the third for all together.
  int64_t l2_bytes = 0;
  int64_t l3_bytes = 0;
  int64_t stream_bytes = 0;  // What was read to measure memory.
  Rates one;                 // One thread.
  Rates all;                 // `threads` threads at the same time.

  const Rates& rates(int thread_count) const { return thread_count > 1 ? all : one; }
  // The rate at which data of `footprint_bytes` that is used again and again can be read.
  double bytes_per_second(double footprint_bytes, int thread_count) const;
};

// Measures with the active instruction set, in about a second: the best of many short tries,
// because other load on the machine only ever takes away. bfloat16 counts the better of vdpbf16ps
// and float32 after a conversion. Memory: up to 512 MiB for the moment (four times the third-level
// cache where that is less).
Roofline measure_roofline(ThreadPool& pool);

}  // namespace quintet::kernels
