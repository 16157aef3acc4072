#include "quintet/engine/nn/linear.h"

#include <algorithm>

#include "quintet/core/check.h"
#include "quintet/engine/nn/row_blocks.h"
#include "quintet/kernels/activation/activation.h"
#include "quintet/kernels/activation/gated.h"
#include "quintet/kernels/gemv/int4.h"
#include "quintet/kernels/norm/norm.h"
#include "quintet/kernels/quantize/quantize.h"

namespace quintet::nn {
namespace {

using kernels::Epilogue;
using kernels::WeightFormat;

// From this many rows on, threads share rows; below, they share output channels.
constexpr int64_t kManyRows = 2 * RowBlocks::kRows;

void norm_rows(const Norm& norm, MatrixView<const float> x, MatrixView<float> y) {
  for (int64_t t = 0; t < x.rows; ++t) {
    if (norm.beta != nullptr) {
      kernels::layer_norm(x.row(t), norm.gamma, norm.beta, norm.eps, y.row(t), x.cols);
    } else {
      kernels::rms_norm(x.row(t), norm.gamma, norm.eps, y.row(t), x.cols);
    }
  }
}

// x in the format of the weights. Rows are independent, so blocks can be converted where they are
// used.
class Input {
 public:
  // Converted into the scratch that all threads share.
  Input(Runtime& run, MatrixView<const float> x, WeightFormat format)
      : format_(format), float32_(x) {
    if (is_quantized()) quantized_ = run.scratch.quantized(format, x.rows, x.cols);
    if (format == WeightFormat::kBF16) converted_ = run.scratch.converted(x.rows, x.cols);
  }

  // A few rows, normed (unless `norm` is null) and converted for one lane alone.
  Input(Runtime& run, int64_t lane, const Norm* norm, MatrixView<const float> x,
        WeightFormat format)
      : format_(format), float32_(x) {
    if (norm != nullptr) {
      const auto normed = run.scratch.lane_floats(lane, x.rows, x.cols);
      norm_rows(*norm, x, normed);
      float32_ = normed;
    }
    if (is_quantized()) {
      quantized_ = run.scratch.lane_quantized(lane, format, x.rows, x.cols);
    }
    if (format == WeightFormat::kBF16) {
      converted_ = run.scratch.lane_converted(lane, x.rows, x.cols);
    }
    convert(0, x.rows);
  }

  void convert(int64_t first, int64_t count) const {
    const auto x = float32_.rows_from(first, count);
    if (is_quantized()) kernels::quantize_rows(x, quantized_.rows_from(first, count));
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
      case WeightFormat::kI4:
        kernels::gemm_i4(quantized_.rows_from(first_row, rows), w, part, out, first_panel,
                         last_panel);
        break;
    }
  }

 private:
  bool is_quantized() const { return format_ == WeightFormat::kI8 || format_ == WeightFormat::kI4; }

  WeightFormat format_;
  MatrixView<const float> float32_;
  kernels::QuantizedRows quantized_;
  MatrixView<bf16> converted_;
};

// Even shares of the panels, so that one wait at the end is short; more of them than threads where
// the layer is wide (the output head), so that a disturbed thread does not hold up the other.
int64_t panel_shares(const Runtime& run, int64_t panels) {
  constexpr int64_t kWide = 64;
  return std::min(panels, run.pool.threads() * (panels >= kWide ? int64_t{8} : 1));
}

// Calls body(input, first row, rows, first panel, last panel) for parts that cover all rows and
// panels, with x normed (unless `norm` is null) and converted. REQUIRES: `norm` with few rows only.
template <typename Body>
void for_each_part(Runtime& run, const Norm* norm, MatrixView<const float> x, WeightFormat format,
                   int64_t panels, Body&& body) {
  const int64_t shares = panel_shares(run, panels);
  if (x.rows <= kFewRows) {
    run.pool.parallel_for_lanes(shares, [&](int64_t lane, int64_t s) {
      const Input input(run, lane, norm, x, format);
      body(input, int64_t{0}, x.rows, panels * s / shares, panels * (s + 1) / shares);
    });
    return;
  }
  const Input input(run, x, format);
  if (x.rows >= kManyRows) {
    const int64_t blocks = RowBlocks::count(x.rows, run.pool.threads());
    run.pool.parallel_for(blocks, [&](int64_t b) {
      const int64_t first = x.rows * b / blocks;
      const int64_t count = x.rows * (b + 1) / blocks - first;
      input.convert(first, count);
      body(input, first, count, int64_t{0}, panels);
    });
    return;
  }
  if (format != WeightFormat::kF32) {
    const int64_t blocks = (x.rows + kFewRows - 1) / kFewRows;
    run.pool.parallel_for(blocks, [&](int64_t b) {
      input.convert(b * kFewRows, std::min(kFewRows, x.rows - b * kFewRows));
    });
  }
  run.pool.parallel_for(shares, [&](int64_t s) {
    body(input, int64_t{0}, x.rows, panels * s / shares, panels * (s + 1) / shares);
  });
}

void multiply(Runtime& run, const Norm* norm, const Linear& layer, MatrixView<const float> x,
              const Epilogue& epilogue, MatrixView<float> y) {
  for_each_part(run, norm, x, layer.w.format, kernels::panel_count(layer.w.n),
                [&](const Input& input, int64_t first, int64_t rows, int64_t begin, int64_t end) {
                  input.multiply(layer.w, epilogue, y, first, rows, begin, end);
                });
}

void multiply_gated(Runtime& run, const Norm* norm, const GatedLinear& layer,
                    MatrixView<const float> x, MatrixView<float> up, MatrixView<float> y) {
  const kernels::PackedWeights& w = layer.gate.w;
  const auto activate = layer.activation == GateActivation::kSilu ? kernels::silu_multiply
                                                                  : kernels::gelu_tanh_multiply;
  for_each_part(run, norm, x, w.format, kernels::panel_count(w.n),
                [&](const Input& input, int64_t first, int64_t rows, int64_t begin, int64_t end) {
                  const int64_t column = begin * kernels::kPanelWidth;
                  const int64_t columns = std::min(end * kernels::kPanelWidth, w.n) - column;
                  input.multiply(w, {.bias = layer.gate.bias}, y, first, rows, begin, end);
                  input.multiply(layer.up.w, {.bias = layer.up.bias}, up, first, rows, begin, end);
                  for (int64_t r = first; r < first + rows; ++r) {
                    activate(y.row(r) + column, up.row(r) + column, columns);
                  }
                });
}

// The unfused way of the baseline: the product to memory, then one pass for each operator.
void multiply_unfused(Runtime& run, const Linear& layer, MatrixView<const float> x,
                      MatrixView<float> product, MatrixView<float> y,
                      const LinearOptions& options) {
  multiply(run, nullptr, layer, x, {}, product);
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

trace::Work norm_linear_work(const Linear& layer, MatrixView<const float> x) {
  return norm_work(x.rows, x.cols) + linear_work(layer, x);
}

}  // namespace

trace::Work norm_work(int64_t rows, int64_t cols) {
  const auto values = static_cast<double>(rows * cols);
  // Mean 1, variance 3, scaling and shifting 4.
  return {.operations = 8 * values, .activation_bytes = 2 * sizeof(float) * values};
}

trace::Work linear_work(const Linear& layer, MatrixView<const float> x,
                        const LinearOptions& options) {
  const kernels::PackedWeights& w = layer.w;
  const int64_t inputs = x.rows * std::min(x.cols, x.stride);  // Rows of convolutions overlap.
  const int64_t outputs = x.rows * w.n * (options.add ? 2 : 1);
  return {.operations = 2 * static_cast<double>(x.rows) * static_cast<double>(w.n * w.k),
          .weight_bytes = static_cast<double>(kernels::packed_bytes(w.format, w.n, w.k)),
          .activation_bytes = sizeof(float) * static_cast<double>(inputs + outputs),
          .arithmetic = kernels::operand_type(w.format)};
}

void apply_norm(Runtime& run, const Norm& norm, MatrixView<const float> x, MatrixView<float> y) {
  const trace::Scope scope(run.trace, norm.name, norm_work(x.rows, x.cols), run.pool.threads());
  constexpr int64_t kRows = 32;
  run.pool.parallel_for((x.rows + kRows - 1) / kRows, [&](int64_t b) {
    const int64_t count = std::min(kRows, x.rows - b * kRows);
    norm_rows(norm, x.rows_from(b * kRows, count), y.rows_from(b * kRows, count));
  });
}

void linear(Runtime& run, const Linear& layer, MatrixView<const float> x, MatrixView<float> y,
            const LinearOptions& options) {
  QT_CHECK_EQ(x.cols, layer.w.k);
  QT_CHECK_EQ(y.cols, layer.w.n);
  QT_CHECK_EQ(x.rows, y.rows);
  const trace::Scope scope(run.trace, layer.name, linear_work(layer, x, options),
                           run.pool.threads());
  if (run.fuse) {
    multiply(run, nullptr, layer, x,
             {.bias = layer.bias,
              .gelu = options.activation == Activation::kGelu,
              .residual = options.add ? y.data : nullptr},
             y);
    return;
  }
  if (run.observer != nullptr) run.observer->see(layer, x);
  if (!options.add) {
    multiply_unfused(run, layer, x, y, y, options);
    return;
  }
  AlignedArray<float> product(y.rows * y.cols);
  multiply_unfused(run, layer, x, matrix(product.data(), y.rows, y.cols), y, options);
}

void norm_linear(Runtime& run, const Norm& norm, const Linear& layer, MatrixView<const float> x,
                 MatrixView<float> h, MatrixView<float> y, Activation activation) {
  if (run.fuse && x.rows <= kFewRows) {
    const Epilogue epilogue = {.bias = layer.bias, .gelu = activation == Activation::kGelu};
    const trace::Scope scope(run.trace, {norm.name, layer.name}, norm_linear_work(layer, x),
                             run.pool.threads());
    return multiply(run, &norm, layer, x, epilogue, y);
  }
  apply_norm(run, norm, x, h);
  linear(run, layer, h, y, {.activation = activation});
}

void norm_gated_linear(Runtime& run, const Norm& norm, const GatedLinear& layer,
                       MatrixView<const float> x, MatrixView<float> h, MatrixView<float> up,
                       MatrixView<float> y) {
  QT_CHECK_EQ(layer.gate.w.n, layer.up.w.n);
  QT_CHECK(layer.gate.w.format == layer.up.w.format);
  const trace::Work work = linear_work(layer.gate, x) + linear_work(layer.up, x);
  if (run.fuse && x.rows <= kFewRows) {
    const trace::Scope scope(run.trace, {norm.name, layer.gate.name, layer.up.name},
                             norm_work(x.rows, x.cols) + work, run.pool.threads());
    return multiply_gated(run, &norm, layer, x, up, y);
  }
  apply_norm(run, norm, x, h);
  if (run.fuse) {
    const trace::Scope scope(run.trace, {layer.gate.name, layer.up.name}, work, run.pool.threads());
    return multiply_gated(run, nullptr, layer, h, up, y);
  }
  linear(run, layer.gate, h, y);
  linear(run, layer.up, h, up);
  const auto activate = layer.activation == GateActivation::kSilu ? kernels::silu_multiply
                                                                  : kernels::gelu_tanh_multiply;
  run.pool.parallel_for(y.rows, [&](int64_t t) { activate(y.row(t), up.row(t), y.cols); });
}

void norm_linear_heads(Runtime& run, const Norm& norm, const Linear& layer,
                       MatrixView<const float> x, MatrixView<float> h, MatrixView<float> y,
                       const HeadLoop& loop, const HeadBody& body) {
  // Panels of one head in one of the vectors.
  const int64_t panels = x.cols / loop.heads / kernels::kPanelWidth;
  const bool whole_panels = panels * loop.heads * kernels::kPanelWidth == x.cols;
  const int64_t shares = std::min<int64_t>(loop.heads, run.pool.threads());
  // With more threads than heads it pays to share out the panels of a head.
  if (!run.fuse || x.rows > kFewRows || !whole_panels || shares < run.pool.threads()) {
    norm_linear(run, norm, layer, x, h, y);
    const trace::Scope scope(run.trace, loop.name, loop.work, run.pool.threads());
    run.pool.parallel_for_lanes(loop.heads * loop.blocks, [&](int64_t lane, int64_t task) {
      body(lane, task / loop.blocks, task % loop.blocks);
    });
    return;
  }
  const trace::Scope scope(run.trace, {norm.name, layer.name, loop.name},
                           norm_linear_work(layer, x) + loop.work, run.pool.threads());
  run.pool.parallel_for_lanes(shares, [&](int64_t lane, int64_t s) {
    const Input input(run, lane, &norm, x, layer.w.format);
    const int64_t first = loop.heads * s / shares;
    const int64_t last = loop.heads * (s + 1) / shares;
    for (int64_t column = 0; column < layer.w.n / kernels::kPanelWidth;
         column += loop.heads * panels) {
      input.multiply(layer.w, {.bias = layer.bias}, y, 0, x.rows, column + first * panels,
                     column + last * panels);
    }
    for (int64_t head = first; head < last; ++head) {
      for (int64_t block = 0; block < loop.blocks; ++block) body(lane, head, block);
    }
  });
}

}  // namespace quintet::nn
