// Linear layers from float32 rows to float32 rows, with 1 and 2 threads: conversion, product and
// bias. bench/linear.py runs it beside OpenVINO on the same shapes.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "quintet/core/aligned.h"
#include "quintet/engine/nn/linear.h"

namespace quintet::nn {
namespace {

using kernels::WeightFormat;

struct Case {
  Case(WeightFormat format, int64_t rows, int64_t outputs, int64_t inputs)
      : m(rows),
        n(outputs),
        k(inputs),
        x(m * k),
        y(m * n),
        bias(n),
        dense(n * k),
        panels(static_cast<size_t>(kernels::packed_bytes(format, n, k))),
        scales(kernels::panel_count(n) * kernels::kPanelWidth) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (auto* values : {&x, &bias, &dense}) {
      for (float& v : values->span()) v = normal(random);
    }
    kernels::pack_weights(format, matrix<const float>(dense.data(), n, k), panels.data(),
                          scales.data());
    layer = {.w = {.format = format,
                   .n = n,
                   .k = k,
                   .panels = panels.data(),
                   .scales = format == WeightFormat::kI8 ? scales.data() : nullptr},
             .bias = bias.data()};
  }

  // Root mean square of the difference to float64 over that of the values, for some of the rows.
  double relative_error() const {
    double off = 0;
    double size = 0;
    for (int64_t i = 0; i < m; i += m / 4 + 1) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = static_cast<double>(bias[j]);
        for (int64_t c = 0; c < k; ++c) {
          sum += static_cast<double>(x[i * k + c]) * static_cast<double>(dense[j * k + c]);
        }
        off += std::pow(static_cast<double>(y[i * n + j]) - sum, 2);
        size += sum * sum;
      }
    }
    return std::sqrt(off / size);
  }

  int64_t m, n, k;
  AlignedArray<float> x, y, bias, dense;
  AlignedBytes panels;
  AlignedArray<float> scales;
  Linear layer;
};

void run_linear(benchmark::State& state, WeightFormat format) {
  Case c(format, state.range(0), state.range(1), state.range(2));
  ThreadPool pool(static_cast<int>(state.range(3)));
  InputScratch scratch(c.m, c.m * (c.k + 3), pool.threads(), c.k);
  Runtime run{pool, scratch};
  const auto once = [&] {
    linear(run, c.layer, matrix<const float>(c.x.data(), c.m, c.k), matrix(c.y.data(), c.m, c.n));
  };
  once();
  // 8 bits leave 1 % of normally distributed inputs and weights each, 4 bits 7 %.
  const double most = format == WeightFormat::kI4 ? 0.08 : 0.02;
  if (!(c.relative_error() < most)) return state.SkipWithError("wrong output");
  for (auto _ : state) once();
  state.counters["Gop/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(c.m * c.n * c.k * state.iterations()),
                         benchmark::Counter::kIsRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K", "threads"})->UseRealTime();
  for (const int64_t threads : {1, 2}) {
    for (const int64_t m : {1000, 1500}) {
      for (const int64_t d : {512, 768}) {
        b->Args({m, d, d, threads})->Args({m, 4 * d, d, threads})->Args({m, d, 4 * d, threads});
      }
    }
  }
}

// A language model of 135 million parameters: a prompt, a batch of sequences, a token.
void language_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K", "threads"})->UseRealTime();
  for (const int64_t threads : {1, 2}) {
    for (const int64_t m : {832, 16, 1}) {
      b->Args({m, 960, 576, threads})->Args({m, 576, 576, threads});
      b->Args({m, 3072, 576, threads})->Args({m, 576, 1536, threads});
    }
  }
}

BENCHMARK_CAPTURE(run_linear, i4, WeightFormat::kI4)->Apply(language_shapes);
BENCHMARK_CAPTURE(run_linear, i8, WeightFormat::kI8)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, bf16, WeightFormat::kBF16)->Apply(shapes);

}  // namespace
}  // namespace quintet::nn
