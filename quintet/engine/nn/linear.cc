#include "quintet/engine/nn/linear.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/kernels/activation/activation.h"
#include "quintet/kernels/norm/norm.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::nn {
namespace {

using kernels::Epilogue;
using kernels::WeightFormat;

constexpr float kLayerNormEps = 1e-5f;  // torch.nn.LayerNorm's default, which the models keep.

// Rows that a thread takes at a time: 16 register tiles of 6, so that a panel of weights is read
// from L2 once per 16 tiles, while 96 rows of the widest input (float32, 2048) fill 768 KiB of L2.
constexpr int64_t kRowBlock = 96;

// From this many rows on, threads share rows; below, they share output channels.
constexpr int64_t kManyRows = 2 * kRowBlock;

// x in the format of the weights. Rows are independent, so blocks can be converted where they are
// used.
class Input {
 public:
  Input(Runtime& run, MatrixView<const float> x, WeightFormat format)
      : format_(format), float32_(x) {
    if (format == WeightFormat::kI8) quantized_ = run.scratch.quantized(x.rows, x.cols);
    if (format == WeightFormat::kBF16) converted_ = run.scratch.converted(x.rows, x.cols);
  }

  void convert(int64_t first, int64_t count) const {
    const auto x = float32_.rows_from(first, count);
    if (format_ == WeightFormat::kI8) {
      kernels::quantize_rows(x, quantized_.rows_from(first, count));
    }
    if (format_ == WeightFormat::kBF16) {
      kernels::convert_rows(x, converted_.rows_from(first, count));
    }
  }

  void multiply(const kernels::PackedWeights& w, const Epilogue& epilogue, MatrixView<float> y,
                int64_t first_row, int64_t rows, int64_t first_panel, int64_t last_panel) const {
    Epilogue part = epilogue;
    if (part.residual != nullptr) part.residual += first_row * y.stride;
    const auto out = y.rows_from(first_row, rows);
    switch (format_) {
      case WeightFormat::kF32:
        kernels::gemm_f32(float32_.rows_from(first_row, rows), w, part, out, first_panel,
                          last_panel);
        break;
      case WeightFormat::kBF16:
        kernels::gemm_bf16(converted_.rows_from(first_row, rows), w, part, out, first_panel,
                           last_panel);
        break;
      case WeightFormat::kI8:
        kernels::gemm_i8(quantized_.rows_from(first_row, rows), w, part, out, first_panel,
                         last_panel);
        break;
    }
  }

 private:
  WeightFormat format_;
  MatrixView<const float> float32_;
  kernels::QuantizedRows quantized_;
  MatrixView<bf16> converted_;
};

void multiply(Runtime& run, const Linear& layer, MatrixView<const float> x,
              const Epilogue& epilogue, MatrixView<float> y) {
  const Input input(run, x, layer.w.format);
  const int64_t panels = kernels::panel_count(layer.w.n);
  if (x.rows >= kManyRows) {
    const int64_t blocks = (x.rows + kRowBlock - 1) / kRowBlock;
    run.pool.parallel_for(blocks, [&](int64_t b) {
      const int64_t first = b * kRowBlock;
      const int64_t count = std::min(kRowBlock, x.rows - first);
      input.convert(first, count);
      input.multiply(layer.w, epilogue, y, first, count, 0, panels);
    });
    return;
  }
  input.convert(0, x.rows);
  // Even shares, so that one wait at the end is short; more of them than threads where the layer is
  // wide (the output head), so that a disturbed thread does not hold up the other.
  constexpr int64_t kWide = 64;
  const int64_t shares = std::min(panels, run.pool.threads() * (panels >= kWide ? int64_t{8} : 1));
  run.pool.parallel_for(shares, [&](int64_t s) {
    input.multiply(layer.w, epilogue, y, 0, x.rows, panels * s / shares, panels * (s + 1) / shares);
  });
}

// The unfused way of the baseline: the product to memory, then one pass for each operator.
void multiply_unfused(Runtime& run, const Linear& layer, MatrixView<const float> x,
                      MatrixView<float> product, MatrixView<float> y,
                      const LinearOptions& options) {
  multiply(run, layer, x, {}, product);
  if (layer.bias != nullptr) {
    run.pool.parallel_for(y.rows, [&](int64_t t) {
      float* row = product.row(t);
      for (int64_t n = 0; n < product.cols; ++n) row[n] += layer.bias[n];
    });
  }
  if (options.activation == Activation::kGelu) {
    run.pool.parallel_for(y.rows, [&](int64_t t) { kernels::gelu(product.row(t), product.cols); });
  }
  if (options.add) {
    run.pool.parallel_for(y.rows, [&](int64_t t) {
      const float* from = product.row(t);
      float* to = y.row(t);
      for (int64_t n = 0; n < y.cols; ++n) to[n] += from[n];
    });
  }
}

}  // namespace

void layer_norm(Runtime& run, const LayerNorm& norm, MatrixView<const float> x,
                MatrixView<float> y) {
  constexpr int64_t kRows = 32;
  run.pool.parallel_for((x.rows + kRows - 1) / kRows, [&](int64_t b) {
    for (int64_t t = b * kRows; t < std::min((b + 1) * kRows, x.rows); ++t) {
      kernels::layer_norm(x.row(t), norm.gamma, norm.beta, kLayerNormEps, y.row(t), x.cols);
    }
  });
}

void linear(Runtime& run, const Linear& layer, MatrixView<const float> x, MatrixView<float> y,
            const LinearOptions& options) {
  QT_CHECK_EQ(x.cols, layer.w.k);
  QT_CHECK_EQ(y.cols, layer.w.n);
  QT_CHECK_EQ(x.rows, y.rows);
  if (run.fuse) {
    multiply(run, layer, x,
             {.bias = layer.bias,
              .gelu = options.activation == Activation::kGelu,
              .residual = options.add ? y.data : nullptr},
             y);
    return;
  }
  if (!options.add) {
    multiply_unfused(run, layer, x, y, y, options);
    return;
  }
  AlignedArray<float> product(y.rows * y.cols);
  multiply_unfused(run, layer, x, matrix(product.data(), y.rows, y.cols), y, options);
}

}  // namespace quintet::nn
