// The activations of gated feed-forward layers (Shazeer 2020), each with its product.
#pragma once

#include <cstdint>

namespace quintet::kernels {

// gate = gate / (1 + exp(-gate)) * up for n values (SwiGLU). Relative error <= 1e-6.
void silu_multiply(float* gate, const float* up, int64_t n);

// gate = gelu(gate) * up with the approximation gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x +
// 0.044715 x^3))), as Gemma has it (GeGLU). Relative error <= 2e-6.
void gelu_tanh_multiply(float* gate, const float* up, int64_t n);

}  // namespace quintet::kernels
