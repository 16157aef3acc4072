// The elementwise part of a long short-term memory cell.
#pragma once

#include <cstdint>

namespace quintet::kernels {

// One step: c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c).
// Shapes: gates [4 n], in the order i, f, g, o, before their activations; c, h [n]. No overlap.
// Numerics: sigmoid and tanh are within 5e-7, absolute, for any finite value.
// Source: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; the order of the
// gates is that of torch.nn.LSTMCell.
void lstm_cell(const float* gates, int64_t n, float* c, float* h);

}  // namespace quintet::kernels
