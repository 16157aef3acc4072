// Speed of the packed products on one thread, beside what the processor could do at most: a loop
// that multiplies and adds in registers only, timed in the same process. Every case checks its
// answer against the reference before the clock starts. Times are processor time of the thread, the
// best of the repetitions, because other load on the machine only ever adds to them.
//   kernels_bench --benchmark_filter=Gemm      QUINTET_FORCE_ISA=avx2 for another level
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/core/cpu.h"
#include "quintet/kernels/gemm/gemm.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/gemm/gemm_ref.h"
#include "quintet/kernels/gemv/int4.h"
#include "quintet/kernels/gemv/int4_ref.h"
#include "quintet/kernels/quantize/quantize.h"
#include "quintet/kernels/roofline/loops.h"

namespace quintet::kernels {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The processor time that `work` takes.
double seconds_of(auto&& work) {
  const double start = thread_seconds();
  work();
  return thread_seconds() - start;
}

constexpr int64_t kPeakSteps = 100'000;

// Of the active level, from a loop in registers.
double peak_ops_per_second(WeightFormat format) {
  const PeakLoop loop = peak_loop(operand_type(format), active_isa());
  if (loop.run == nullptr) return 0;
  double best = 1e9;
  for (int i = 0; i < 40; ++i) {
    best = std::min(best, seconds_of([&] { loop.run(kPeakSteps); }));
  }
  return kPeakSteps * loop.operations_per_step / best;
}

// Weights and rows of one shape in one format.
class Case {
 public:
  Case(WeightFormat format, int64_t m, int64_t n, int64_t k)
      : m_(m),
        depth_(padded_depth(format, k)),
        panels_(packed_bytes(format, n, k)),
        scales_(panel_count(n) * kPanelWidth),
        x_(m * k),
        x16_(m * depth_),
        x8_(m * depth_),
        x_scales_(m),
        x_sums_(m),
        x_group_sums_(m * depth_ / kInt4Group + m),
        y_(m * n) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> values(static_cast<size_t>(n * k));
    for (float& v : values) v = uniform(random);
    for (float& v : x_.span()) v = uniform(random);
    pack_weights(format, matrix<const float>(values.data(), n, k), panels_.data(), scales_.data());
    w_ = {format, n, k, panels_.data(), scales_.data()};
    convert_rows(x(m), {x16_.data(), m, k, depth_});
    quantize_rows(x(m), x8(m));
  }

  void run(const Epilogue& epilogue) { run(m_, epilogue, y_.data()); }

  // The first rows, compared with the reference.
  bool right() {
    const int64_t rows = std::min<int64_t>(m_, 2);
    run({});
    std::vector<float> expected(static_cast<size_t>(rows * w_.n));
    const auto y = matrix(expected.data(), rows, w_.n);
    switch (w_.format) {
      case WeightFormat::kF32: gemm_f32_ref(x(rows), w_, {}, y); break;
      case WeightFormat::kBF16: gemm_bf16_ref({x16_.data(), rows, w_.k, depth_}, w_, {}, y); break;
      case WeightFormat::kI8: gemm_i8_ref(x8(rows), w_, {}, y); break;
      case WeightFormat::kI4: gemm_i4_ref(x8(rows), w_, {}, y); break;
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!(std::fabs(expected[i] - y_.data()[i]) <= 1e-3f)) return false;
    }
    return true;
  }

 private:
  MatrixView<const float> x(int64_t rows) const { return matrix(x_.data(), rows, w_.k); }
  QuantizedRows x8(int64_t rows) {
    return {x8_.data(),     rows,
            depth_,         x_scales_.data(),
            x_sums_.data(), w_.format == WeightFormat::kI4 ? x_group_sums_.data() : nullptr};
  }

  void run(int64_t rows, const Epilogue& epilogue, float* out) {
    const auto y = matrix(out, rows, w_.n);
    const int64_t panels = panel_count(w_.n);
    switch (w_.format) {
      case WeightFormat::kF32: gemm_f32(x(rows), w_, epilogue, y, 0, panels); break;
      case WeightFormat::kBF16:
        gemm_bf16({x16_.data(), rows, w_.k, depth_}, w_, epilogue, y, 0, panels);
        break;
      case WeightFormat::kI8: gemm_i8(x8(rows), w_, epilogue, y, 0, panels); break;
      case WeightFormat::kI4: gemm_i4(x8(rows), w_, epilogue, y, 0, panels); break;
    }
  }

  int64_t m_;
  int64_t depth_;
  AlignedBytes panels_;
  AlignedArray<float> scales_;
  PackedWeights w_;
  AlignedArray<float> x_;
  AlignedArray<bf16> x16_;
  AlignedArray<int8_t> x8_;
  AlignedArray<float> x_scales_;
  AlignedArray<int32_t> x_sums_;
  AlignedArray<int32_t> x_group_sums_;
  AlignedArray<float> y_;
};

void gemm_benchmark(benchmark::State& state, WeightFormat format, bool gelu) {
  const int64_t m = state.range(0);
  const int64_t n = state.range(1);
  const int64_t k = state.range(2);
  Case c(format, m, n, k);
  if (!c.right()) return state.SkipWithError("differs from the reference");
  const double peak = peak_ops_per_second(format);
  const Epilogue epilogue = {.gelu = gelu};
  const double ops = 2.0 * static_cast<double>(m * n * k);
  // Reading the clock takes about a microsecond: short products run several times in between.
  const int repeats = std::max(1, static_cast<int>(1e7 / ops));
  double best = 1e9;
  for (auto _ : state) {
    const double seconds = seconds_of([&] {
      for (int i = 0; i < repeats; ++i) c.run(epilogue);
    });
    best = std::min(best, seconds / repeats);
    state.SetIterationTime(seconds);
  }
  state.counters["best_us"] = best * 1e6;
  state.counters["Gop/s"] = ops / best * 1e-9;
  state.counters["GB/s"] = static_cast<double>(packed_bytes(format, n, k)) / best * 1e-9;
  if (peak > 0) state.counters["peak_share"] = ops / best / peak;
  state.SetLabel(std::string(internal::gemm_kernels(format, active_isa()).name));
}

// An encoder of Whisper base over 30 s: attention, both halves of the MLP, the joined Q K V; the
// first three by blocks of rows that stay in the second-level cache, as the engine passes them;
// then one row of a decoder step, over its layers and over the vocabulary.
void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K"});
  b->Args({1500, 512, 512})->Args({1500, 2048, 512})->Args({1500, 512, 2048});
  b->Args({192, 512, 512})->Args({192, 2048, 512})->Args({192, 512, 2048});
  b->Args({1500, 1536, 512})->Args({1, 512, 512})->Args({1, 2048, 512})->Args({1, 51865, 512});
  b->UseManualTime()->MinTime(0.2)->Unit(benchmark::kMicrosecond);
}

// A language model of 135 million parameters, a prompt of 832 tokens and a few rows: Q K V, the
// output of attention, gate and up, down, the vocabulary.
void language_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K"});
  for (const int64_t m : {832, 104, 16, 8, 4, 1}) {
    b->Args({m, 960, 576})->Args({m, 576, 576})->Args({m, 3072, 576})->Args({m, 576, 1536});
  }
  b->Args({832, 49152, 576});
  b->UseManualTime()->MinTime(0.2)->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(gemm_benchmark, GemmF32, WeightFormat::kF32, false)->Apply(shapes);
BENCHMARK_CAPTURE(gemm_benchmark, GemmBf16, WeightFormat::kBF16, false)->Apply(shapes);
BENCHMARK_CAPTURE(gemm_benchmark, GemmI8, WeightFormat::kI8, false)->Apply(shapes);
BENCHMARK_CAPTURE(gemm_benchmark, GemmI4, WeightFormat::kI4, false)->Apply(language_shapes);
BENCHMARK_CAPTURE(gemm_benchmark, GemmI8Language, WeightFormat::kI8, false)->Apply(language_shapes);
BENCHMARK_CAPTURE(gemm_benchmark, GemmF32Gelu, WeightFormat::kF32, true)->Args({1500, 2048, 512});
BENCHMARK_CAPTURE(gemm_benchmark, GemmI8Gelu, WeightFormat::kI8, true)->Args({1500, 2048, 512});

}  // namespace
}  // namespace quintet::kernels
