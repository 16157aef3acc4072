#include "quintet/kernels/lstm/lstm.h"

#include <cmath>

#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(LstmCell);

double sigmoid_ref(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void expect_step(std::span<const float> gates, std::span<const float> before) {
  const int64_t n = std::ssize(before);
  GuardedArray<float> in(gates);
  GuardedArray<float> c(before);
  GuardedArray<float> h(n);
  lstm_cell(in.data(), n, c.data(), h.data());
  for (int64_t j = 0; j < n; ++j) {
    const auto gate = [&](int64_t g) { return static_cast<double>(in[g * n + j]); };
    const double old = static_cast<double>(before[static_cast<size_t>(j)]);
    const double cell = sigmoid_ref(gate(1)) * old + sigmoid_ref(gate(0)) * std::tanh(gate(2));
    const double hidden = sigmoid_ref(gate(3)) * std::tanh(cell);
    // Each activation is off by 5e-7 at most; that of the forget gate counts |c| times.
    const double tolerance = 5e-7 * (std::abs(old) + 2.0) + 1e-7 * std::abs(cell);
    EXPECT_NEAR(static_cast<double>(c[j]), cell, tolerance) << n << ", " << j;
    EXPECT_NEAR(static_cast<double>(h[j]), hidden, tolerance + 1e-6) << n << ", " << j;
  }
}

TEST_P(LstmCell, EqualsReferenceAtEverySize) {
  for (const int64_t n : edge_sizes()) {
    expect_step(random_floats(4 * n, 3.0f, 1), random_floats(n, 2.0f, 2));
  }
}

TEST_P(LstmCell, LargeGatesSaturate) {
  for (const float x : {-3e38f, -200.0f, -88.0f, -20.0f, 0.0f, 20.0f, 88.0f, 200.0f, 3e38f}) {
    expect_step(std::vector<float>(4 * 17, x), std::vector<float>(17, 1.5f));
  }
}

}  // namespace
}  // namespace quintet::kernels
