// Products of few rows with weights that lie in memory, on one thread and on all, beside what the
// machine could do at most: reading the weights alone, and multiplying alone (roofline/loops.h).
// The three take turns and the best of each counts, because other load only ever takes away. The
// first answer is checked against the reference before the clock starts.
//   kernels_bench --benchmark_filter=Gemv      QUINTET_FORCE_ISA=avx2 for another level
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/cpu.h"
#include "quintet/core/thread_pool.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemm/gemm_ref.h"
#include "quintet/kernels/gemv/int4.h"
#include "quintet/kernels/gemv/int4_ref.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/roofline/loops.h"

namespace quintet::kernels {
namespace {

using Clock = std::chrono::steady_clock;

ThreadPool& pool() {
  static ThreadPool pool;
  return pool;
}

double seconds_of(auto&& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Weights beyond four times the third-level cache: copies of one panel.
class Case {
 public:
  Case(WeightFormat format, int64_t m, int64_t k)
      : m_(m),
        depth_(padded_depth(WeightFormat::kI4, k)),
        panels_count_(4 * cache_bytes(3) / panel_bytes(format, k) + 1),
        panels_(panels_count_ * panel_bytes(format, k)),
        scales_(panels_count_ * kPanelWidth),
        x_(m * depth_),
        x_scales_(m),
        x_sums_(m),
        x_group_sums_(m * depth_ / kInt4Group),
        y_(m * panels_count_ * kPanelWidth) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> values(static_cast<size_t>(std::max(m, kPanelWidth) * k));
    for (float& v : values) v = uniform(random);
    w_ = {format, panels_count_ * kPanelWidth, k, panels_.data(), scales_.data()};
    pack_weights(format, matrix<const float>(values.data(), kPanelWidth, k), panels_.data(),
                 scales_.data());
    pool().parallel_for(panels_count_, [&](int64_t p) {
      if (p == 0) return;
      std::memcpy(panels_.data() + p * panel_bytes(format, k), panels_.data(),
                  static_cast<size_t>(panel_bytes(format, k)));
      std::copy_n(scales_.data(), kPanelWidth, scales_.data() + p * kPanelWidth);
    });
    quantize_rows(matrix<const float>(values.data(), m, k), x());
  }

  void run(int threads) {
    const MatrixView<float> y = matrix(y_.data(), m_, w_.n);
    const auto product = w_.format == WeightFormat::kI4 ? gemm_i4 : gemm_i8;
    share(threads, [&](int64_t first, int64_t last) { product(x(), w_, {}, y, first, last); });
  }

  void read(int threads) {
    const ReadLoop loop = read_loop(active_isa());
    if (loop == nullptr) return;
    share(threads, [&](int64_t first, int64_t last) {
      const int64_t bytes = w_.panel(last) - w_.panel(first);
      loop(w_.panel(first), bytes / kReadStepBytes * kReadStepBytes);
    });
  }

  bool right() {
    run(pool().threads());
    PackedWeights first = w_;
    first.n = kPanelWidth;
    std::vector<float> expected(static_cast<size_t>(m_ * kPanelWidth));
    const auto reference = w_.format == WeightFormat::kI4 ? gemm_i4_ref : gemm_i8_ref;
    reference(x(), first, {}, matrix(expected.data(), m_, kPanelWidth));
    for (int64_t i = 0; i < m_; ++i) {
      for (int64_t n = 0; n < w_.n; ++n) {
        const float off = y_.data()[i * w_.n + n] -
                          expected[static_cast<size_t>(i * kPanelWidth + n % kPanelWidth)];
        if (!(std::fabs(off) <= 1e-3f)) return false;
      }
    }
    return true;
  }

  double weight_bytes() const { return static_cast<double>(packed_bytes(w_.format, w_.n, w_.k)); }
  double operations() const { return 2.0 * static_cast<double>(m_ * w_.n * w_.k); }

 private:
  template <typename Body>
  void share(int threads, Body&& body) {
    const int64_t shares = threads == 1 ? 1 : 8 * threads;
    pool().parallel_for(shares, [&](int64_t s) {
      body(panels_count_ * s / shares, panels_count_ * (s + 1) / shares);
    });
  }

  QuantizedRows x() {
    return {x_.data(), m_, depth_, x_scales_.data(), x_sums_.data(), x_group_sums_.data()};
  }

  int64_t m_;
  int64_t depth_;
  int64_t panels_count_;
  AlignedBytes panels_;
  AlignedArray<float> scales_;
  PackedWeights w_;
  AlignedArray<int8_t> x_;
  AlignedArray<float> x_scales_;
  AlignedArray<int32_t> x_sums_;
  AlignedArray<int32_t> x_group_sums_;
  AlignedArray<float> y_;
};

void gemv_benchmark(benchmark::State& state, WeightFormat format) {
  Case c(format, state.range(0), state.range(1));
  const auto threads = static_cast<int>(state.range(2));
  if (!c.right()) return state.SkipWithError("differs from the reference");
  constexpr int64_t kPeakSteps = 200'000;
  const PeakLoop peak = peak_loop(DType::kI8, active_isa());
  double best = 1e9;
  double reading = 1e9;
  double multiplying = 1e9;
  for (auto _ : state) {
    const double seconds = seconds_of([&] { c.run(threads); });
    best = std::min(best, seconds);
    reading = std::min(reading, seconds_of([&] { c.read(threads); }));
    multiplying = std::min(multiplying, seconds_of([&] {
                             pool().parallel_for(threads, [&](int64_t) {
                               if (peak.run != nullptr) peak.run(kPeakSteps);
                             });
                           }));
    state.SetIterationTime(seconds);
  }
  const double peak_rate = threads * kPeakSteps * peak.operations_per_step / multiplying;
  state.counters["best_ms"] = best * 1e3;
  state.counters["GB/s"] = c.weight_bytes() / best * 1e-9;
  state.counters["Gop/s"] = c.operations() / best * 1e-9;
  state.counters["memory_share"] = reading / best;
  state.counters["peak_share"] = c.operations() / best / peak_rate;
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "K", "threads"});
  for (const int64_t threads : {1, usable_processors()}) {
    for (const int64_t m : {1, 2, 3, 4, 6, 8, 16}) {
      for (const int64_t k : {576, 1536}) b->Args({m, k, threads});
    }
  }
  b->UseManualTime()->MinTime(0.15)->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(gemv_benchmark, GemvI4, WeightFormat::kI4)->Apply(shapes);
BENCHMARK_CAPTURE(gemv_benchmark, GemvI8, WeightFormat::kI8)->Apply(shapes);

}  // namespace
}  // namespace quintet::kernels
