#include "quintet/kernels/roofline/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "quintet/core/aligned.h"
#include "quintet/core/cpu.h"
#include "quintet/kernels/roofline/loops.h"

namespace quintet::kernels {
namespace {

using Clock = std::chrono::steady_clock;

// What each of the rates may take. One try lasts about 0.3 ms: long enough that waking a thread (up
// to 0.05 ms in a virtual machine) does not count, short enough that many tries fall between the
// interruptions of a busy machine.
constexpr double kSecondsPerRate = 0.05;
// Neighbours outside a virtual machine use the same memory: more tries.
constexpr double kSecondsForMemory = 0.15;
constexpr int64_t kStepsPerTry = 100'000;
constexpr int64_t kBytesPerTry = int64_t{32} << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The shortest time of one call of `work`.
template <typename Work>
double best_seconds(double budget, Work&& work) {
  constexpr int kFewestTries = 3;
  double best = std::numeric_limits<double>::max();
  const auto start = Clock::now();
  for (int i = 0; i < kFewestTries || seconds_since(start) < budget; ++i) {
    const auto begin = Clock::now();
    work();
    best = std::min(best, seconds_since(begin));
  }
  return best;
}

double peak(DType type, int threads, ThreadPool& pool) {
  const PeakLoop loop = peak_loop(type, active_isa());
  if (loop.run == nullptr) return 0;
  const double seconds = best_seconds(kSecondsPerRate, [&] {
    pool.parallel_for(threads, [&](int64_t) { loop.run(kStepsPerTry); });
  });
  return static_cast<double>(kStepsPerTry * threads) * loop.operations_per_step / seconds;
}

// Each thread reads its own share of `bytes`, as often as a try of a measurable length needs.
double read_rate(const AlignedBytes& memory, int64_t bytes, int threads, ThreadPool& pool) {
  const ReadLoop loop = read_loop(active_isa());
  if (loop == nullptr) return 0;
  const int64_t share = bytes / threads / kReadStepBytes * kReadStepBytes;
  const int64_t repeats = std::max(int64_t{1}, kBytesPerTry / share);
  const double budget = bytes > cache_bytes(3) ? kSecondsForMemory : kSecondsPerRate;
  const double seconds = best_seconds(budget, [&] {
    pool.parallel_for(threads, [&](int64_t t) {
      for (int64_t i = 0; i < repeats; ++i) loop(memory.data() + t * share, share);
    });
  });
  return static_cast<double>(share * threads * repeats) / seconds;
}

Rates measure_rates(const Roofline& roofline, const AlignedBytes& memory, int threads,
                    ThreadPool& pool) {
  Rates rates;
  rates.f32 = peak(DType::kF32, threads, pool);
  rates.bf16 = std::max(rates.f32, peak(DType::kBF16, threads, pool));
  rates.i8 = peak(DType::kI8, threads, pool);
  rates.l2 = read_rate(memory, roofline.l2_bytes * threads, threads, pool);
  rates.l3 = read_rate(memory, roofline.l3_bytes, threads, pool);
  rates.memory = read_rate(memory, roofline.stream_bytes, threads, pool);
  return rates;
}

}  // namespace

double Rates::operations_per_second(DType arithmetic) const {
  switch (arithmetic) {
    case DType::kI8: return i8;
    case DType::kBF16: return bf16;
    default: return f32;
  }
}

double Roofline::bytes_per_second(double footprint_bytes, int thread_count) const {
  const Rates& r = rates(thread_count);
  if (footprint_bytes <= static_cast<double>(l2_bytes * thread_count)) return r.l2;
  return footprint_bytes <= static_cast<double>(l3_bytes) ? r.l3 : r.memory;
}

Roofline measure_roofline(ThreadPool& pool) {
  constexpr int64_t kMostBytes = int64_t{512} << 20;
  Roofline roofline;
  roofline.threads = pool.threads();
  roofline.l2_bytes = cache_bytes(2) / 2;
  roofline.l3_bytes = cache_bytes(3) / 2;
  roofline.stream_bytes =
      std::max(std::min(4 * cache_bytes(3), kMostBytes), roofline.l2_bytes * roofline.threads);
  roofline.l3_bytes = std::min(roofline.l3_bytes, roofline.stream_bytes);
  AlignedBytes memory(static_cast<size_t>(roofline.stream_bytes));
  // Untouched memory is one page of zeros, which lies in the cache; each thread touches what it
  // reads, so that it lies with its processor.
  const int64_t share = roofline.stream_bytes / roofline.threads;
  pool.parallel_for(roofline.threads, [&](int64_t t) {
    std::memset(memory.data() + t * share, 1, static_cast<size_t>(share));
  });
  roofline.one = measure_rates(roofline, memory, 1, pool);
  roofline.all = roofline.threads == 1 ? roofline.one
                                       : measure_rates(roofline, memory, roofline.threads, pool);
  return roofline;
}

}  // namespace quintet::kernels
