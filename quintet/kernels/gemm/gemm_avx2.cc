// AVX2 and AVX-VNNI kernels: tiles of 6 rows x 16 channels, a panel walked in four parts. As for
// AVX-512, the loop over k is inline assembly with fixed registers, because GCC 12 spills a tile of
// 12 accumulators:
//     ymm0-11 sums, row by row    ymm12-13 weights    ymm14 word of x    ymm15 scratch or mask
#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/activation/activation.h"
#include "quintet/kernels/gemm/gemm_kernels.h"
#include "quintet/kernels/isa.h"

// clang-format off

// LOADW(address, register), LOADX(address) into ymm14, OP(w, sum) of each format.
#define QT_LOADW_PLAIN(AT, W) "vmovaps " AT ", %%ymm" W "\n\t"
#define QT_LOADX_F32(AT) "vbroadcastss " AT ", %%ymm14\n\t"
#define QT_LOADX_WORD(AT) "vpbroadcastd " AT ", %%ymm14\n\t"
#define QT_OP_F32(W, SUM) "vfmadd231ps %%ymm14, %%ymm" W ", %%ymm" SUM "\n\t"
// The second operand is unsigned (the weights), the first signed (x).
#define QT_OP_I8_VNNI(W, SUM) "%{vex%} vpdpbusd %%ymm14, %%ymm" W ", %%ymm" SUM "\n\t"
// The same with x unsigned and the weights signed.
#define QT_OP_U8_VNNI(W, SUM) "%{vex%} vpdpbusd %%ymm" W ", %%ymm14, %%ymm" SUM "\n\t"
// bfloat16: both halves of every word become float32, even inputs first. ymm15 masks the upper half.
#define QT_LOADW_EVEN(AT, W) \
  QT_LOADW_PLAIN(AT, W) "vpslld $16, %%ymm" W ", %%ymm" W "\n\t"
#define QT_LOADX_EVEN(AT) QT_LOADX_WORD(AT) "vpslld $16, %%ymm14, %%ymm14\n\t"
#define QT_LOADW_ODD(AT, W) "vpand " AT ", %%ymm15, %%ymm" W "\n\t"
#define QT_LOADX_ODD(AT) QT_LOADX_WORD(AT) "vpand %%ymm15, %%ymm14, %%ymm14\n\t"
// int8 without VNNI: vpmaddubsw would saturate at 2 * 255 * 127, so both sides widen to 16 bits. A
// register then holds four channels, with two sums each.
#define QT_LOADW_WIDEN(AT, W) "vpmovzxbw " AT ", %%ymm" W "\n\t"
#define QT_LOADX_WIDEN(AT) \
  "vpbroadcastd " AT ", %%xmm14\n\tvpmovsxbw %%xmm14, %%ymm14\n\t"
#define QT_LOADW_WIDEN_SIGNED(AT, W) "vpmovsxbw " AT ", %%ymm" W "\n\t"
#define QT_LOADX_WIDEN_UNSIGNED(AT) \
  "vpbroadcastd " AT ", %%xmm14\n\tvpmovzxbw %%xmm14, %%ymm14\n\t"
#define QT_OP_I8(W, SUM) \
  "vpmaddwd %%ymm14, %%ymm" W ", %%ymm15\n\tvpaddd %%ymm15, %%ymm" SUM ", %%ymm" SUM "\n\t"

#define QT_ROW(LOADX, OP, AT, A, B) LOADX(AT) OP("12", A) OP("13", B)
#define QT_ROWS_1(LX, OP) QT_ROW(LX, OP, "(%[x])", "0", "1")
#define QT_ROWS_2(LX, OP) QT_ROWS_1(LX, OP) QT_ROW(LX, OP, "(%[x],%[s])", "2", "3")
#define QT_ROWS_3(LX, OP) QT_ROWS_2(LX, OP) QT_ROW(LX, OP, "(%[x],%[s],2)", "4", "5")
#define QT_ROWS_4(LX, OP) QT_ROWS_3(LX, OP) QT_ROW(LX, OP, "(%[x],%[s3])", "6", "7")
#define QT_ROWS_5(LX, OP) QT_ROWS_4(LX, OP) QT_ROW(LX, OP, "(%[x],%[s],4)", "8", "9")
#define QT_ROWS_6(LX, OP) QT_ROWS_5(LX, OP) QT_ROW(LX, OP, "(%[x],%[s5])", "10", "11")

#define QT_LINE(ROWS, SECOND, LOADW, LOADX, OP) \
  LOADW("(%[w])", "12") LOADW(SECOND "(%[w])", "13") ROWS(LOADX, OP)
#define QT_LINE_F32(ROWS) QT_LINE(ROWS, "32", QT_LOADW_PLAIN, QT_LOADX_F32, QT_OP_F32)
#define QT_LINE_I8_VNNI(ROWS) QT_LINE(ROWS, "32", QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_I8_VNNI)
#define QT_LINE_I8(ROWS) QT_LINE(ROWS, "16", QT_LOADW_WIDEN, QT_LOADX_WIDEN, QT_OP_I8)
#define QT_LINE_U8_VNNI(ROWS) QT_LINE(ROWS, "32", QT_LOADW_PLAIN, QT_LOADX_WORD, QT_OP_U8_VNNI)
#define QT_LINE_U8(ROWS) \
  QT_LINE(ROWS, "16", QT_LOADW_WIDEN_SIGNED, QT_LOADX_WIDEN_UNSIGNED, QT_OP_I8)
#define QT_LINE_BF16(ROWS) \
  QT_LINE(ROWS, "32", QT_LOADW_EVEN, QT_LOADX_EVEN, QT_OP_F32) \
  QT_LINE(ROWS, "32", QT_LOADW_ODD, QT_LOADX_ODD, QT_OP_F32)

// A single row takes all 64 channels at once (ymm0-7), for enough independent chains.
#define QT_WIDE(LOADX, OP) \
  LOADX("(%[x])") \
  QT_LOADW_PLAIN("(%[w])", "8") OP("8", "0") QT_LOADW_PLAIN("32(%[w])", "9") OP("9", "1") \
  QT_LOADW_PLAIN("64(%[w])", "10") OP("10", "2") QT_LOADW_PLAIN("96(%[w])", "11") OP("11", "3") \
  QT_LOADW_PLAIN("128(%[w])", "8") OP("8", "4") QT_LOADW_PLAIN("160(%[w])", "9") OP("9", "5") \
  QT_LOADW_PLAIN("192(%[w])", "10") OP("10", "6") QT_LOADW_PLAIN("224(%[w])", "11") OP("11", "7")

#define QT_ZERO2(A, B) \
  "vpxor %%ymm" A ", %%ymm" A ", %%ymm" A "\n\tvpxor %%ymm" B ", %%ymm" B ", %%ymm" B "\n\t"
#define QT_ZERO_1 QT_ZERO2("0", "1")
#define QT_ZERO_2 QT_ZERO_1 QT_ZERO2("2", "3")
#define QT_ZERO_3 QT_ZERO_2 QT_ZERO2("4", "5")
#define QT_ZERO_4 QT_ZERO_3 QT_ZERO2("6", "7")
#define QT_ZERO_5 QT_ZERO_4 QT_ZERO2("8", "9")
#define QT_ZERO_6 QT_ZERO_5 QT_ZERO2("10", "11")

#define QT_STORE2(AT, A, B) \
  "vmovaps %%ymm" A ", " AT "(%[out])\n\tvmovaps %%ymm" B ", 32+" AT "(%[out])\n\t"
// Adds the two sums of each channel; vphaddd leaves the eight channels as 0 1 4 5 2 3 6 7.
#define QT_FOLD2(AT, A, B) \
  "vphaddd %%ymm" B ", %%ymm" A ", %%ymm" A "\n\tvpermq $0xd8, %%ymm" A ", %%ymm" A "\n\t" \
  "vmovdqa %%ymm" A ", " AT "(%[out])\n\t"
#define QT_STORE_1(PUT) PUT("0", "0", "1")
#define QT_STORE_2(PUT) QT_STORE_1(PUT) PUT("256", "2", "3")
#define QT_STORE_3(PUT) QT_STORE_2(PUT) PUT("512", "4", "5")
#define QT_STORE_4(PUT) QT_STORE_3(PUT) PUT("768", "6", "7")
#define QT_STORE_5(PUT) QT_STORE_4(PUT) PUT("1024", "8", "9")
#define QT_STORE_6(PUT) QT_STORE_5(PUT) PUT("1280", "10", "11")
#define QT_STORE_WIDE \
  QT_STORE2("0", "0", "1") QT_STORE2("64", "2", "3") \
  QT_STORE2("128", "4", "5") QT_STORE2("192", "6", "7")

// PART: bytes of a line that one pass over the panel takes.
#define QT_KERNEL(NAME, PART, ZERO, LINE, STORE) \
  void NAME(const void* x, int64_t stride, const std::byte* panel, int64_t groups, void* tile) { \
    for (int64_t part = 0; part < kPanelLineBytes; part += PART) { \
      const void* x_at = x; \
      const std::byte* w_at = panel + part; \
      int64_t left = groups; \
      __asm__ volatile( \
          "vpcmpeqd %%ymm15, %%ymm15, %%ymm15\n\t" \
          "vpslld $16, %%ymm15, %%ymm15\n\t" \
          ZERO \
          ".p2align 5\n" \
          "1:\n\t" \
          LINE \
          "add $4, %[x]\n\t" \
          "add $256, %[w]\n\t" \
          "dec %[k]\n\t" \
          "jnz 1b\n\t" \
          STORE \
          "vzeroupper" \
          : [x] "+r"(x_at), [w] "+r"(w_at), [k] "+r"(left) \
          : [s] "r"(stride), [s3] "r"(3 * stride), [s5] "r"(5 * stride), \
            [out] "r"(static_cast<std::byte*>(tile) + part) \
          : "memory", "cc", "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", \
            "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"); \
    } \
  }

#define QT_KERNELS(FORMAT, NAME, PART, PUT) \
  QT_KERNEL(tile_2_##NAME, PART, QT_ZERO_2, QT_LINE_##FORMAT(QT_ROWS_2), QT_STORE_2(PUT)) \
  QT_KERNEL(tile_3_##NAME, PART, QT_ZERO_3, QT_LINE_##FORMAT(QT_ROWS_3), QT_STORE_3(PUT)) \
  QT_KERNEL(tile_4_##NAME, PART, QT_ZERO_4, QT_LINE_##FORMAT(QT_ROWS_4), QT_STORE_4(PUT)) \
  QT_KERNEL(tile_5_##NAME, PART, QT_ZERO_5, QT_LINE_##FORMAT(QT_ROWS_5), QT_STORE_5(PUT)) \
  QT_KERNEL(tile_6_##NAME, PART, QT_ZERO_6, QT_LINE_##FORMAT(QT_ROWS_6), QT_STORE_6(PUT))

// clang-format on

namespace quintet::kernels::internal {

QT_ISA_BEGIN(QT_TARGET_AVX2)

namespace {

QT_KERNELS(F32, f32, 64, QT_STORE2)
QT_KERNELS(BF16, bf16, 64, QT_STORE2)
QT_KERNELS(I8, i8, 32, QT_FOLD2)
QT_KERNELS(I8_VNNI, i8_vnni, 64, QT_STORE2)
QT_KERNELS(U8, u8, 32, QT_FOLD2)
QT_KERNELS(U8_VNNI, u8_vnni, 64, QT_STORE2)
QT_KERNEL(tile_1_u8, 32, QT_ZERO_1, QT_LINE_U8(QT_ROWS_1), QT_STORE_1(QT_FOLD2))
QT_KERNEL(tile_1_u8_vnni, 64, QT_ZERO_1, QT_LINE_U8_VNNI(QT_ROWS_1), QT_STORE_1(QT_STORE2))
QT_KERNEL(tile_1_f32, 256, QT_ZERO_4, QT_WIDE(QT_LOADX_F32, QT_OP_F32), QT_STORE_WIDE)
QT_KERNEL(tile_1_bf16, 64, QT_ZERO_1, QT_LINE_BF16(QT_ROWS_1), QT_STORE_1(QT_STORE2))
QT_KERNEL(tile_1_i8, 32, QT_ZERO_1, QT_LINE_I8(QT_ROWS_1), QT_STORE_1(QT_FOLD2))
QT_KERNEL(tile_1_i8_vnni, 256, QT_ZERO_4, QT_WIDE(QT_LOADX_WORD, QT_OP_I8_VNNI), QT_STORE_WIDE)

// The first `count` lanes.
__m256i lanes(int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), index);
}

template <bool quantized>
__m256 finished_sum(const float* sums, int64_t r, int64_t c, __m256i mask, const TileOutput& out) {
  __m256 v = _mm256_load_ps(sums);
  if constexpr (quantized) {
    const __m256i shift = _mm256_set1_epi32(128 * out.x_row_sums[r]);
    const __m256i exact = _mm256_sub_epi32(_mm256_castps_si256(v), shift);
    const __m256 w_scale = _mm256_maskload_ps(out.w_scales + c, mask);
    v = _mm256_mul_ps(_mm256_cvtepi32_ps(exact),
                      _mm256_mul_ps(_mm256_set1_ps(out.x_scales[r]), w_scale));
  }
  if (out.bias != nullptr) v = _mm256_add_ps(v, _mm256_maskload_ps(out.bias + c, mask));
  return v;
}

template <bool quantized>
void finish_avx2(void* tile, int64_t rows, const TileOutput& out) {
  auto* sums = static_cast<float*>(tile);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = sums + r * kPanelWidth;
    if (out.gelu) {
      for (int64_t c = 0; c < out.columns; c += 8) {
        const __m256i mask = lanes(out.columns - c);
        _mm256_store_ps(row + c, finished_sum<quantized>(row + c, r, c, mask, out));
      }
      gelu(row, out.columns);
    }
    for (int64_t c = 0; c < out.columns; c += 8) {
      const __m256i mask = lanes(out.columns - c);
      const int64_t where = r * out.y_stride + c;
      __m256 v =
          out.gelu ? _mm256_load_ps(row + c) : finished_sum<quantized>(row + c, r, c, mask, out);
      if (out.residual != nullptr) {
        v = _mm256_add_ps(v, _mm256_maskload_ps(out.residual + where, mask));
      }
      _mm256_maskstore_ps(out.y + where, mask, v);
    }
  }
}

}  // namespace

QT_ISA_END

namespace {

constexpr GemmKernels kF32 = {
    "f32 avx2",
    {tile_1_f32, tile_2_f32, tile_3_f32, tile_4_f32, tile_5_f32, tile_6_f32},
    nullptr,
    finish_avx2<false>};
constexpr GemmKernels kBf16 = {
    "bf16 avx2",
    {tile_1_bf16, tile_2_bf16, tile_3_bf16, tile_4_bf16, tile_5_bf16, tile_6_bf16},
    nullptr,
    finish_avx2<false>};
constexpr GemmKernels kI8 = {"i8 avx2",
                             {tile_1_i8, tile_2_i8, tile_3_i8, tile_4_i8, tile_5_i8, tile_6_i8},
                             nullptr,
                             finish_avx2<true>};
constexpr GemmKernels kI8Vnni = {"i8 avx_vnni",
                                 {tile_1_i8_vnni, tile_2_i8_vnni, tile_3_i8_vnni, tile_4_i8_vnni,
                                  tile_5_i8_vnni, tile_6_i8_vnni},
                                 nullptr,
                                 finish_avx2<true>};

}  // namespace

const GemmKernels& gemm_kernels_avx2(WeightFormat format) {
  if (format == WeightFormat::kBF16) return kBf16;
  return format == WeightFormat::kF32 ? kF32 : kI8;
}

const GemmKernels& gemm_kernels_avx_vnni(WeightFormat format) {
  return format == WeightFormat::kI8 ? kI8Vnni : gemm_kernels_avx2(format);
}

const UnsignedTiles& unsigned_tiles_avx2() {
  static constexpr UnsignedTiles kTiles = {tile_1_u8, tile_2_u8, tile_3_u8,
                                           tile_4_u8, tile_5_u8, tile_6_u8};
  return kTiles;
}

const UnsignedTiles& unsigned_tiles_avx_vnni() {
  static constexpr UnsignedTiles kTiles = {tile_1_u8_vnni, tile_2_u8_vnni, tile_3_u8_vnni,
                                           tile_4_u8_vnni, tile_5_u8_vnni, tile_6_u8_vnni};
  return kTiles;
}

}  // namespace quintet::kernels::internal

#endif
