#include "quintet/kernels/gemv/row_weights.h"

#include "quintet/core/check.h"
#include "quintet/core/cpu.h"
#include "quintet/kernels/isa.h"
#include "quintet/kernels/quantize/quantize.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace quintet::kernels {
namespace {

// Sum of w[i] * x[i], w unsigned.
using DotFn = int32_t (*)(const std::byte* w, const int8_t* x, int64_t k);

int32_t dot_base(const std::byte* w, const int8_t* x, int64_t k) {
  int32_t sum = 0;
  for (int64_t i = 0; i < k; ++i) sum += std::to_integer<int32_t>(w[i]) * x[i];
  return sum;
}

#if defined(__x86_64__)

QT_ISA_BEGIN(QT_TARGET_AVX2)

// Both sides widen to 16 bits: vpmaddubsw would saturate.
int32_t dot_avx2(const std::byte* w, const int8_t* x, int64_t k) {
  __m256i sums = _mm256_setzero_si256();
  int64_t i = 0;
  for (; i + 16 <= k; i += 16) {
    const __m128i weights = _mm_load_si128(reinterpret_cast<const __m128i*>(w + i));
    const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    sums = _mm256_add_epi32(
        sums, _mm256_madd_epi16(_mm256_cvtepu8_epi16(weights), _mm256_cvtepi8_epi16(values)));
  }
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
  return _mm_cvtsi128_si32(half) + _mm_extract_epi32(half, 1) + dot_base(w + i, x + i, k - i);
}

QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX512)

int32_t dot_avx512(const std::byte* w, const int8_t* x, int64_t k) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  int64_t i = 0;
  for (; i + 128 <= k; i += 128) {
    even = _mm512_dpbusd_epi32(even, _mm512_load_si512(w + i), _mm512_loadu_si512(x + i));
    odd = _mm512_dpbusd_epi32(odd, _mm512_load_si512(w + i + 64), _mm512_loadu_si512(x + i + 64));
  }
  for (; i < k; i += 64) {
    const __mmask64 mask = k - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (k - i)) - 1;
    even = _mm512_dpbusd_epi32(even, _mm512_maskz_loadu_epi8(mask, w + i),
                               _mm512_maskz_loadu_epi8(mask, x + i));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

QT_ISA_END

#endif

DotFn dot_for(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return dot_avx512;
  if (isa >= Isa::kAvx2) return dot_avx2;
#else
  static_cast<void>(isa);
#endif
  return dot_base;
}

// As the epilogue of gemm_i8.
float finished(int32_t sum, const QuantizedRows& x, int64_t row, float scale) {
  return static_cast<float>(sum - 128 * x.row_sums[row]) * (x.scales[row] * scale);
}

}  // namespace

void pack_row_weights(MatrixView<const float> w, std::byte* rows, float* scales) {
  const int64_t stride = row_weight_stride(w.cols);
  for (int64_t i = 0; i < w.rows; ++i) {
    auto* row = reinterpret_cast<int8_t*>(rows + i * stride);
    int32_t sum = 0;
    quantize_rows(w.rows_from(i, 1), {row, 1, stride, scales + i, &sum});
    for (int64_t k = 0; k < stride; ++k) {
      row[k] = k < w.cols ? static_cast<int8_t>(row[k] ^ 0x80) : int8_t{0};
    }
  }
}

void unpack_row(const RowWeights& w, int64_t row, float* to) {
  const std::byte* from = w.row(row);
  for (int64_t k = 0; k < w.k; ++k) {
    to[k] = static_cast<float>(std::to_integer<int>(from[k]) - 128) * w.scales[row];
  }
}

void multiply_rows(const QuantizedRows& x, const RowWeights& w, std::span<const int32_t> ids,
                   std::span<float> y) {
  QT_DCHECK(x.rows == 1 && ids.size() == y.size());
  // The rows lie anywhere: ask for some of them ahead.
  constexpr size_t kAhead = 4;
  const DotFn dot = dot_for(active_isa());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + kAhead < ids.size()) {
      const std::byte* next = w.row(ids[i + kAhead]);
      for (int64_t k = 0; k < w.k; k += 64) __builtin_prefetch(next + k);
    }
    y[i] = finished(dot(w.row(ids[i]), x.data, w.k), x, 0, w.scales[ids[i]]);
  }
}

void multiply_all_rows(const QuantizedRows& x, const RowWeights& w, MatrixView<float> y,
                       int64_t first, int64_t last) {
  const DotFn dot = dot_for(active_isa());
  for (int64_t n = first; n < last; ++n) {
    for (int64_t i = 0; i < x.rows; ++i) {
      y.row(i)[n] = finished(dot(w.row(n), x.data + i * x.stride, w.k), x, i, w.scales[n]);
    }
  }
}

}  // namespace quintet::kernels
