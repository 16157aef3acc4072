// y = x W^T straight from the definition: what the tests compare the kernels with.
#pragma once

#include "quintet/kernels/gemm/gemm.h"

namespace quintet::kernels {

// Same contracts as gemm_f32, gemm_bf16 and gemm_i8, for all of w.n columns. The sums of the float
// formats are formed in double; int8 rounds where the kernels round, and so gives the same bits.
void gemm_f32_ref(MatrixView<const float> x, const PackedWeights& w, const Epilogue& epilogue,
                  MatrixView<float> y);
void gemm_bf16_ref(MatrixView<const bf16> x, const PackedWeights& w, const Epilogue& epilogue,
                   MatrixView<float> y);
void gemm_i8_ref(const QuantizedRows& x, const PackedWeights& w, const Epilogue& epilogue,
                 MatrixView<float> y);

}  // namespace quintet::kernels
