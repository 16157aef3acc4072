// AVX-512 kernels. Compilers spill a tile of 24 accumulators when it is written in intrinsics (GCC
// 12, clang 16), so the loop over k is one block of inline assembly with fixed registers:
//     zmm0-23 sums, row by row    zmm24-27 weights of the line    zmm28-29 words of x
// All formats share the block; they differ in how a word of x and a line of weights are loaded, and
// in the instruction that multiplies and adds.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "quintet/kernels/activation/activation.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/isa.h"

// clang-format off

// LOADW(address, register), LOADX(address, register), OP(x, w, sum) of each format.
#define QT_LOADW_PLAIN(AT, W) "vmovaps " AT ", %%zmm" W "\n\t"
#define QT_LOADX_F32(AT, X) "vbroadcastss " AT ", %%zmm" X "\n\t"
#define QT_LOADX_WORD(AT, X) "vpbroadcastd " AT ", %%zmm" X "\n\t"
#define QT_OP_F32(X, W, SUM) "vfmadd231ps %%zmm" X ", %%zmm" W ", %%zmm" SUM "\n\t"
#define QT_OP_BF16(X, W, SUM) "vdpbf16ps %%zmm" X ", %%zmm" W ", %%zmm" SUM "\n\t"
// The second operand is unsigned (the weights), the first signed (x).
#define QT_OP_I8(X, W, SUM) "vpdpbusd %%zmm" X ", %%zmm" W ", %%zmm" SUM "\n\t"
// The same with x unsigned and the weights signed.
#define QT_OP_U8(X, W, SUM) "vpdpbusd %%zmm" W ", %%zmm" X ", %%zmm" SUM "\n\t"
// bfloat16 without vdpbf16ps: both halves of every word become float32. zmm30 masks the upper half.
#define QT_LOADW_EVEN(AT, W) "vpslld $16, " AT ", %%zmm" W "\n\t"
#define QT_LOADX_EVEN(AT, X) "vpslld $16, " AT "%{1to16%}, %%zmm" X "\n\t"
#define QT_LOADW_ODD(AT, W) "vpandd " AT ", %%zmm30, %%zmm" W "\n\t"
#define QT_LOADX_ODD(AT, X) "vpandd " AT "%{1to16%}, %%zmm30, %%zmm" X "\n\t"

// XO and WO: byte offsets into the rows of x and into the panel.
#define QT_ROW(LOADX, OP, AT, X, A, B, C, D) \
  LOADX(AT, X) OP(X, "24", A) OP(X, "25", B) OP(X, "26", C) OP(X, "27", D)
#define QT_ROWS_1(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x])", "28", "0", "1", "2", "3")
#define QT_ROWS_2(LX, OP, XO) \
  QT_ROWS_1(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x],%[s])", "29", "4", "5", "6", "7")
#define QT_ROWS_3(LX, OP, XO) \
  QT_ROWS_2(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x],%[s],2)", "28", "8", "9", "10", "11")
#define QT_ROWS_4(LX, OP, XO) \
  QT_ROWS_3(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x],%[s3])", "29", "12", "13", "14", "15")
#define QT_ROWS_5(LX, OP, XO) \
  QT_ROWS_4(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x],%[s],4)", "28", "16", "17", "18", "19")
#define QT_ROWS_6(LX, OP, XO) \
  QT_ROWS_5(LX, OP, XO) QT_ROW(LX, OP, XO "(%[x],%[s5])", "29", "20", "21", "22", "23")

#define QT_LINE(ROWS, XO, WO, LOADW, LOADX, OP) \
  LOADW(WO "(%[w])", "24") LOADW(WO "+64(%[w])", "25") \
  LOADW(WO "+128(%[w])", "26") LOADW(WO "+192(%[w])", "27") \
  ROWS(LOADX, OP, XO)
#define QT_LINE_F32(ROWS, XO, WO) \
  QT_LINE(ROWS, XO, WO, QT_LOADW_PLAIN, QT_LOADX_F32, QT_OP_F32)
#define QT_LINE_BF16(ROWS, XO, WO) \
  QT_LINE(ROWS, XO, WO, QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_BF16)
#define QT_LINE_I8(ROWS, XO, WO) QT_LINE(ROWS, XO, WO, QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_I8)
#define QT_LINE_U8(ROWS, XO, WO) QT_LINE(ROWS, XO, WO, QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_U8)
#define QT_LINE_BF16_AS_F32(ROWS, XO, WO) \
  QT_LINE(ROWS, XO, WO, QT_LOADW_EVEN, QT_LOADX_EVEN, QT_OP_F32) \
  QT_LINE(ROWS, XO, WO, QT_LOADW_ODD, QT_LOADX_ODD, QT_OP_F32)

// One row and two panels, %[s] apart: sums in zmm0-7, weights in zmm16-23.
#define QT_PAIR(XO, WO, LOADW, LOADX, OP) \
  LOADX(XO "(%[x])", "28") \
  LOADW(WO "(%[w])", "16") OP("28", "16", "0") \
  LOADW(WO "+64(%[w])", "17") OP("28", "17", "1") \
  LOADW(WO "+128(%[w])", "18") OP("28", "18", "2") \
  LOADW(WO "+192(%[w])", "19") OP("28", "19", "3") \
  LOADW(WO "(%[w],%[s])", "20") OP("28", "20", "4") \
  LOADW(WO "+64(%[w],%[s])", "21") OP("28", "21", "5") \
  LOADW(WO "+128(%[w],%[s])", "22") OP("28", "22", "6") \
  LOADW(WO "+192(%[w],%[s])", "23") OP("28", "23", "7")
#define QT_PAIR_F32(ROWS, XO, WO) QT_PAIR(XO, WO, QT_LOADW_PLAIN, QT_LOADX_F32, QT_OP_F32)
#define QT_PAIR_BF16(ROWS, XO, WO) QT_PAIR(XO, WO, QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_BF16)
#define QT_PAIR_I8(ROWS, XO, WO) QT_PAIR(XO, WO, QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_I8)
#define QT_PAIR_BF16_AS_F32(ROWS, XO, WO) \
  QT_PAIR(XO, WO, QT_LOADW_EVEN, QT_LOADX_EVEN, QT_OP_F32) \
  QT_PAIR(XO, WO, QT_LOADW_ODD, QT_LOADX_ODD, QT_OP_F32)

#define QT_ZERO4(A, B, C, D) \
  "vpxord %%zmm" A ", %%zmm" A ", %%zmm" A "\n\tvpxord %%zmm" B ", %%zmm" B ", %%zmm" B "\n\t" \
  "vpxord %%zmm" C ", %%zmm" C ", %%zmm" C "\n\tvpxord %%zmm" D ", %%zmm" D ", %%zmm" D "\n\t"
#define QT_ZERO_1 QT_ZERO4("0", "1", "2", "3")
#define QT_ZERO_2 QT_ZERO_1 QT_ZERO4("4", "5", "6", "7")
#define QT_ZERO_3 QT_ZERO_2 QT_ZERO4("8", "9", "10", "11")
#define QT_ZERO_4 QT_ZERO_3 QT_ZERO4("12", "13", "14", "15")
#define QT_ZERO_5 QT_ZERO_4 QT_ZERO4("16", "17", "18", "19")
#define QT_ZERO_6 QT_ZERO_5 QT_ZERO4("20", "21", "22", "23")

#define QT_STORE4(AT, A, B, C, D) \
  "vmovaps %%zmm" A ", " AT "(%[out])\n\tvmovaps %%zmm" B ", 64+" AT "(%[out])\n\t" \
  "vmovaps %%zmm" C ", 128+" AT "(%[out])\n\tvmovaps %%zmm" D ", 192+" AT "(%[out])\n\t"
#define QT_STORE_1 QT_STORE4("0", "0", "1", "2", "3")
#define QT_STORE_2 QT_STORE_1 QT_STORE4("256", "4", "5", "6", "7")
#define QT_STORE_3 QT_STORE_2 QT_STORE4("512", "8", "9", "10", "11")
#define QT_STORE_4 QT_STORE_3 QT_STORE4("768", "12", "13", "14", "15")
#define QT_STORE_5 QT_STORE_4 QT_STORE4("1024", "16", "17", "18", "19")
#define QT_STORE_6 QT_STORE_5 QT_STORE4("1280", "20", "21", "22", "23")

// The k % 4 first lines one by one, then four at a time.
#define QT_KERNEL(NAME, ZERO, LINE, ROWS, STORE) \
  void NAME(const void* x, int64_t stride, const std::byte* panel, int64_t groups, void* tile) { \
    int64_t single = groups % 4; \
    int64_t quads = groups / 4; \
    __asm__ volatile( \
        "vpternlogd $0xff, %%zmm30, %%zmm30, %%zmm30\n\t" \
        "vpslld $16, %%zmm30, %%zmm30\n\t" \
        ZERO \
        "test %[k], %[k]\n\t" \
        "jz 2f\n" \
        "1:\n\t" \
        LINE(ROWS, "0", "0") \
        "add $4, %[x]\n\t" \
        "add $256, %[w]\n\t" \
        "dec %[k]\n\t" \
        "jnz 1b\n" \
        "2:\n\t" \
        "test %[k4], %[k4]\n\t" \
        "jz 4f\n\t" \
        ".p2align 5\n" \
        "3:\n\t" \
        LINE(ROWS, "0", "0") \
        LINE(ROWS, "4", "256") \
        LINE(ROWS, "8", "512") \
        LINE(ROWS, "12", "768") \
        "add $16, %[x]\n\t" \
        "add $1024, %[w]\n\t" \
        "dec %[k4]\n\t" \
        "jnz 3b\n" \
        "4:\n\t" \
        STORE \
        "vzeroupper" \
        : [x] "+r"(x), [w] "+r"(panel), [k] "+r"(single), [k4] "+r"(quads) \
        : [s] "r"(stride), [s3] "r"(3 * stride), [s5] "r"(5 * stride), [out] "r"(tile) \
        : "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", \
          "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", \
          "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27", \
          "zmm28", "zmm29", "zmm30", "zmm31"); \
  }

#define QT_TILES(FORMAT, NAME) \
  QT_KERNEL(tile_1_##NAME, QT_ZERO_1, QT_LINE_##FORMAT, QT_ROWS_1, QT_STORE_1) \
  QT_KERNEL(tile_2_##NAME, QT_ZERO_2, QT_LINE_##FORMAT, QT_ROWS_2, QT_STORE_2) \
  QT_KERNEL(tile_3_##NAME, QT_ZERO_3, QT_LINE_##FORMAT, QT_ROWS_3, QT_STORE_3) \
  QT_KERNEL(tile_4_##NAME, QT_ZERO_4, QT_LINE_##FORMAT, QT_ROWS_4, QT_STORE_4) \
  QT_KERNEL(tile_5_##NAME, QT_ZERO_5, QT_LINE_##FORMAT, QT_ROWS_5, QT_STORE_5) \
  QT_KERNEL(tile_6_##NAME, QT_ZERO_6, QT_LINE_##FORMAT, QT_ROWS_6, QT_STORE_6)
#define QT_KERNELS(FORMAT, NAME) \
  QT_TILES(FORMAT, NAME) \
  QT_KERNEL(pair_##NAME, QT_ZERO_2, QT_PAIR_##FORMAT, , QT_STORE_2)

// clang-format on

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX512)

namespace {

QT_KERNELS(F32, f32)
QT_KERNELS(I8, i8)
QT_TILES(U8, u8)
QT_KERNELS(BF16, bf16)
// Even inputs first, then odd ones, each in its own fused step: the same order of k as everywhere,
// but vdpbf16ps rounds differently and flushes subnormals, so the two levels differ in the last
// bits.
QT_KERNELS(BF16_AS_F32, bf16_as_f32)

__mmask16 column_mask(int64_t columns, int64_t c) {
  const int64_t left = columns - c;
  return left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
}

// What a column of 16 channels adds to its sums; loaded once for all rows.
struct Column {
  __mmask16 mask;
  __m512 bias;
  __m512 w_scale;  // int8 only.
};

template <bool quantized>
Column load_column(const TileOutput& out, int64_t c) {
  const __mmask16 mask = column_mask(out.columns, c);
  // Adding -0 changes nothing, not even the sign of a zero.
  const __m512 none = _mm512_set1_ps(-0.0f);
  return {mask, out.bias == nullptr ? none : _mm512_maskz_loadu_ps(mask, out.bias + c),
          quantized ? _mm512_maskz_loadu_ps(mask, out.w_scales + c) : none};
}

template <bool quantized>
__m512 finished_sum(const float* sums, int64_t r, const Column& column, const TileOutput& out) {
  __m512 v = _mm512_load_ps(sums);
  if constexpr (quantized) {
    const __m512i shift = _mm512_slli_epi32(_mm512_set1_epi32(out.x_row_sums[r]), 7);
    const __m512i exact = _mm512_sub_epi32(_mm512_castps_si512(v), shift);
    v = _mm512_mul_ps(_mm512_cvtepi32_ps(exact),
                      _mm512_mul_ps(_mm512_set1_ps(out.x_scales[r]), column.w_scale));
  }
  return _mm512_add_ps(v, column.bias);
}

template <bool quantized>
void finish_plain(float* sums, int64_t rows, const TileOutput& out) {
  for (int64_t c = 0; c < out.columns; c += 16) {
    const Column column = load_column<quantized>(out, c);
    for (int64_t r = 0; r < rows; ++r) {
      const __m512 v = finished_sum<quantized>(sums + r * kPanelWidth + c, r, column, out);
      _mm512_mask_storeu_ps(out.y + r * out.y_stride + c, column.mask, v);
    }
  }
}

void add_residual(const float* sums, int64_t rows, const TileOutput& out) {
  for (int64_t c = 0; c < out.columns; c += 16) {
    const __mmask16 mask = column_mask(out.columns, c);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * out.y_stride + c;
      const __m512 v = _mm512_load_ps(sums + r * kPanelWidth + c);
      const __m512 residual = _mm512_maskz_loadu_ps(mask, out.residual + at);
      _mm512_mask_storeu_ps(out.y + at, mask, _mm512_add_ps(v, residual));
    }
  }
}

template <bool quantized>
void finish_avx512(void* tile, int64_t rows, const TileOutput& out) {
  auto* sums = static_cast<float*>(tile);
  if (!out.gelu && out.residual == nullptr) return finish_plain<quantized>(sums, rows, out);
  // GELU and residual pass over the tile, which is in the first-level cache: y may be the residual.
  TileOutput in_tile = out;
  in_tile.y = sums;
  in_tile.y_stride = kPanelWidth;
  finish_plain<quantized>(sums, rows, in_tile);
  if (out.gelu && out.columns == kPanelWidth) gelu(sums, rows * kPanelWidth);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = sums + r * kPanelWidth;
    if (out.gelu && out.columns < kPanelWidth) gelu(row, out.columns);
    if (out.residual == nullptr) {
      std::memcpy(out.y + r * out.y_stride, row, static_cast<size_t>(out.columns) * sizeof(float));
    }
  }
  if (out.residual != nullptr) add_residual(sums, rows, out);
}

}  // namespace

QT_ISA_END

namespace {

constexpr GemmKernels kF32 = {
    "f32 avx512",
    {tile_1_f32, tile_2_f32, tile_3_f32, tile_4_f32, tile_5_f32, tile_6_f32},
    pair_f32,
    finish_avx512<false>};
constexpr GemmKernels kI8 = {"i8 avx512",
                             {tile_1_i8, tile_2_i8, tile_3_i8, tile_4_i8, tile_5_i8, tile_6_i8},
                             pair_i8,
                             finish_avx512<true>};
constexpr GemmKernels kBf16 = {
    "bf16 avx512_bf16",
    {tile_1_bf16, tile_2_bf16, tile_3_bf16, tile_4_bf16, tile_5_bf16, tile_6_bf16},
    pair_bf16,
    finish_avx512<false>};
constexpr GemmKernels kBf16AsF32 = {"bf16 avx512",
                                    {tile_1_bf16_as_f32, tile_2_bf16_as_f32, tile_3_bf16_as_f32,
                                     tile_4_bf16_as_f32, tile_5_bf16_as_f32, tile_6_bf16_as_f32},
                                    pair_bf16_as_f32,
                                    finish_avx512<false>};

}  // namespace

const GemmKernels& gemm_kernels_avx512(WeightFormat format) {
  if (format == WeightFormat::kBF16) return kBf16AsF32;
  return format == WeightFormat::kF32 ? kF32 : kI8;
}

const UnsignedTiles& unsigned_tiles_avx512() {
  static constexpr UnsignedTiles kTiles = {tile_1_u8, tile_2_u8, tile_3_u8,
                                           tile_4_u8, tile_5_u8, tile_6_u8};
  return kTiles;
}

const GemmKernels& gemm_kernels_vdpbf16ps() { return kBf16; }

const GemmKernels& gemm_kernels_avx512_bf16(WeightFormat format) {
  // Intel runs vdpbf16ps at a quarter of the rate of the fused multiply-add, which is half its
  // products per second: there the conversion to float32 wins (35 against 48 cycles a line of 6
  // rows, gemm_bench, Xeon of 2024). AMD runs it at the full rate. The choice holds for any number
  // of rows, so that a row gives the same bits alone and in a batch.
  static const bool fast = __builtin_cpu_is("amd") != 0;
  return format == WeightFormat::kBF16 && fast ? kBf16 : gemm_kernels_avx512(format);
}

}  // namespace quintet::kernels::internal

#endif
