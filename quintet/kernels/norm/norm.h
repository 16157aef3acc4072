#pragma once

#include <cstdint>

namespace quintet::kernels {

// y = (x - mean(x)) / sqrt(var(x) + eps) * gamma + beta over one row of n values, with the biased
// variance, computed in two passes. y may be x.
// Source: Ba et al. 2016; torch.nn.LayerNorm.
void layer_norm(const float* x, const float* gamma, const float* beta, float eps, float* y,
                int64_t n);

// y = x / sqrt(mean(x^2) + eps) * gamma over one row of n values. y may be x.
// Source: Zhang and Sennrich 2019; transformers LlamaRMSNorm.
void rms_norm(const float* x, const float* gamma, float eps, float* y, int64_t n);

}  // namespace quintet::kernels
