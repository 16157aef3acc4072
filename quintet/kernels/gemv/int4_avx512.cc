// As in gemm_avx512.cc, the loop over several rows is inline assembly with fixed registers, for a
// tile of 6 rows and 32 channels:
//     zmm0-11 integers and zmm12-23 floats, row by row    zmm24-25 weights of 8 inputs, of 4
//     zmm26-27 weights of 4 inputs, scales                zmm28 word of x    zmm29 120 in each byte
//     zmm30-31 zeros
// Making bytes of the weights costs next to nothing: it takes other units than the products. (Doing
// it once for many rows, to memory, gained 1 % for 832 rows and lost a quarter for 8.)
#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/gemv/int4_kernels.h"
#include "quintet/kernels/isa.h"

// clang-format off

// DO(row, place of its group sum, integers A and B, floats C and D).
#define QT_EACH_1(DO) DO("0", "(%[g])", "0", "1", "12", "13")
#define QT_EACH_2(DO) QT_EACH_1(DO) DO("1", "(%[g],%[t])", "2", "3", "14", "15")
#define QT_EACH_3(DO) QT_EACH_2(DO) DO("2", "(%[g],%[t],2)", "4", "5", "16", "17")
#define QT_EACH_4(DO) QT_EACH_3(DO) DO("3", "(%[h])", "6", "7", "18", "19")
#define QT_EACH_5(DO) QT_EACH_4(DO) DO("4", "(%[h],%[t])", "8", "9", "20", "21")
#define QT_EACH_6(DO) QT_EACH_5(DO) DO("5", "(%[h],%[t],2)", "10", "11", "22", "23")

#define QT_ZERO(ROW, SUM, A, B, C, D) \
  "vpxord %%zmm" C ", %%zmm" C ", %%zmm" C "\n\tvpxord %%zmm" D ", %%zmm" D ", %%zmm" D "\n\t"
#define QT_RESUME(ROW, SUM, A, B, C, D) \
  "vmovups 256*" ROW "(%[left]), %%zmm" C "\n\tvmovups 256*" ROW "+64(%[left]), %%zmm" D "\n\t"
// The integers begin with what the 128 in every weight has added. (vpmulld takes the multipliers for
// two cycles: 84 % of the int8 peak instead of 88.)
#define QT_START(ROW, SUM, A, B, C, D) \
  "vpslld $7, " SUM "%{1to16%}, %%zmm" B "\n\t" \
  "vpsubd %%zmm" B ", %%zmm24, %%zmm" A "\n\tvmovdqa64 %%zmm" A ", %%zmm" B "\n\t"
#define QT_FOLD(S, T, A, B, C, D) \
  "vcvtdq2ps %%zmm" A ", %%zmm" A "\n\tvcvtdq2ps %%zmm" B ", %%zmm" B "\n\t" \
  "vfmadd231ps %%zmm" A ", %%zmm" S ", %%zmm" C "\n\t" \
  "vfmadd231ps %%zmm" B ", %%zmm" T ", %%zmm" D "\n\t"
#define QT_TILE_FOLD(ROW, SUM, A, B, C, D) QT_FOLD("26", "27", A, B, C, D)
#define QT_SCALE(ROW, SUM, A, B, C, D) \
  "vbroadcastss 4*" ROW "(%[w]), %%zmm24\n\t" \
  "vmulps %%zmm24, %%zmm" C ", %%zmm" C "\n\tvmulps %%zmm24, %%zmm" D ", %%zmm" D "\n\t"
#define QT_KEEP(ROW, SUM, A, B, C, D) \
  "vmovups %%zmm" C ", 256*" ROW "(%[left])\n\tvmovups %%zmm" D ", 256*" ROW "+64(%[left])\n\t"

#define QT_ROW(W, V, AT, A, B) \
  "vpbroadcastd " AT ", %%zmm28\n\t" \
  "vpdpbusd %%zmm28, %%zmm" W ", %%zmm" A "\n\tvpdpbusd %%zmm28, %%zmm" V ", %%zmm" B "\n\t"
#define QT_ROWS_1(W, V, XO) QT_ROW(W, V, XO "(%[x])", "0", "1")
#define QT_ROWS_2(W, V, XO) QT_ROWS_1(W, V, XO) QT_ROW(W, V, XO "(%[x],%[s])", "2", "3")
#define QT_ROWS_3(W, V, XO) QT_ROWS_2(W, V, XO) QT_ROW(W, V, XO "(%[x],%[s],2)", "4", "5")
#define QT_ROWS_4(W, V, XO) QT_ROWS_3(W, V, XO) QT_ROW(W, V, XO "(%[y])", "6", "7")
#define QT_ROWS_5(W, V, XO) QT_ROWS_4(W, V, XO) QT_ROW(W, V, XO "(%[y],%[s])", "8", "9")
#define QT_ROWS_6(W, V, XO) QT_ROWS_5(W, V, XO) QT_ROW(W, V, XO "(%[y],%[s],2)", "10", "11")

// 8 q + zero of 4 inputs.
#define QT_BYTES(SHIFT, FROM, TO, ZEROS) \
  SHIFT ", %%zmm" FROM ", %%zmm" TO "\n\tvpandd %%zmm29, %%zmm" TO ", %%zmm" TO "\n\t" \
  "vpaddb %%zmm" ZEROS ", %%zmm" TO ", %%zmm" TO "\n\t"
#define QT_LINE(ROWS, WO, X0, X4) \
  "vmovdqa64 192+" WO "(%[w],%[p],2), %%zmm24\n\t" \
  "vmovdqa64 256+" WO "(%[w],%[p],2), %%zmm25\n\t" \
  QT_BYTES("vpsllw $3", "24", "26", "30") QT_BYTES("vpsllw $3", "25", "27", "31") \
  ROWS("26", "27", X0) \
  QT_BYTES("vpsrlw $1", "24", "24", "30") QT_BYTES("vpsrlw $1", "25", "25", "31") \
  ROWS("24", "25", X4)
#define QT_LINES(ROWS) \
  QT_LINE(ROWS, "0", "0", "4") QT_LINE(ROWS, "256", "8", "12") \
  QT_LINE(ROWS, "512", "16", "20") QT_LINE(ROWS, "768", "24", "28")

#define QT_ALL_REGISTERS \
  "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", \
  "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", \
  "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", \
  "zmm30", "zmm31"

#define QT_AHEAD(AT) "prefetcht1 " AT "(%[ahead])\n\tprefetcht1 " AT "+64(%[ahead])\n\t"

#define QT_PART(NAME, EACH, ROWS) \
  void NAME(const Int4Rows& rows, const Int4Part& part) { \
    const int8_t* x = rows.x; \
    const int32_t* g = rows.group_sums; \
    const std::byte* w = part.lines; \
    const std::byte* ahead = part.ahead; \
    int64_t left; \
    /* Operands in memory, copied so that none of them wants a register for its address. */ \
    const Int4Part at = part; \
    const float* scales = rows.scales; \
    const int8_t* y = x + 3 * rows.stride; \
    const int32_t* h = g + 3 * rows.group_stride; \
    __asm__ volatile( \
        "vpbroadcastd 256(%[c]), %%zmm29\n\t" \
        EACH(QT_ZERO) \
        "cmpb $0, %[resume]\n\t" \
        "je 0f\n\t" \
        "mov %[tile], %[left]\n\t" \
        EACH(QT_RESUME) \
        "0:\n\t" \
        "mov %[groups], %[left]\n\t" \
        ".p2align 5\n" \
        "1:\n\t" \
        "vmovdqa64 128(%[w]), %%zmm31\n\t" \
        "vpshufb (%[c],%[p],2), %%zmm31, %%zmm30\n\t" \
        "vpshufb 64(%[c],%[p],2), %%zmm31, %%zmm31\n\t" \
        "vpxord %%zmm24, %%zmm24, %%zmm24\n\t" \
        EACH(QT_START) \
        QT_LINES(ROWS) \
        "vmovdqa64 (%[w],%[p]), %%zmm27\n\t" \
        "vpslld $16, %%zmm27, %%zmm26\n\t" \
        "vpandd 260(%[c])%{1to16%}, %%zmm27, %%zmm27\n\t" \
        EACH(QT_TILE_FOLD) \
        QT_AHEAD("0") QT_AHEAD("128") QT_AHEAD("256") QT_AHEAD("384") QT_AHEAD("512") \
        "add %[step], %[ahead]\n\t" \
        "add $32, %[x]\n\t" \
        "add $32, %[y]\n\t" \
        "add $4, %[g]\n\t" \
        "add $4, %[h]\n\t" \
        "add $1216, %[w]\n\t" \
        "dec %[left]\n\t" \
        "jnz 1b\n\t" \
        "cmpb $0, %[finish]\n\t" \
        "je 2f\n\t" \
        "mov %[scales], %[w]\n\t" \
        EACH(QT_SCALE) \
        "2:\n\t" \
        "mov %[tile], %[left]\n\t" \
        EACH(QT_KEEP) \
        "vzeroupper" \
        : [x] "+r"(x), [y] "+r"(y), [g] "+r"(g), [h] "+r"(h), [w] "+r"(w), [left] "=&r"(left), \
          [ahead] "+r"(ahead) \
        : [s] "r"(rows.stride), [t] "r"(4 * rows.group_stride), [p] "r"(64 * part.index), \
          [c] "r"(&kConstants), [step] "m"(at.ahead_step), [tile] "m"(at.tile), \
          [groups] "m"(at.groups), [resume] "m"(at.resume), [finish] "m"(at.finish), \
          [scales] "m"(scales) \
        : QT_ALL_REGISTERS); \
  }

// 2 rows and 64 channels, for which a panel is read once, in order: what the processor reads
// ahead by itself is hard to better (prefetches 2 to 8 blocks ahead, into any cache, cost 0 to 30 %).
//     zmm0-7 integers and zmm12-19 floats, row by row     zmm24 weights of 8 inputs, scales
//     zmm25-26 weights of 4 inputs, scales                zmm29 120 in each byte
//     zmm27-28, 30-31 zeros
// DO(argument, row, places of its group sum and of its x, integers A to D, floats E to H).
#define QT_WIDE_1(DO, ARG) \
  DO(ARG, "0", "(%[g])", "(%[x])", "0", "1", "2", "3", "12", "13", "14", "15")
#define QT_WIDE_2(DO, ARG) \
  QT_WIDE_1(DO, ARG) \
  DO(ARG, "1", "(%[g],%[t])", "(%[x],%[s])", "4", "5", "6", "7", "16", "17", "18", "19")
#define QT_WIDE_ZERO(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) \
  QT_ZERO(ROW, SUM, A, B, E, F) QT_ZERO(ROW, SUM, C, D, G, H)
#define QT_WIDE_START(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) \
  QT_START(ROW, SUM, A, B, E, F) \
  "vmovdqa64 %%zmm" A ", %%zmm" C "\n\tvmovdqa64 %%zmm" A ", %%zmm" D "\n\t"
#define QT_DOT(XO, X, SUM) \
  "vpdpbusd " XO X "%{1to16%}, %%zmm25, %%zmm" SUM "\n\t" \
  "vpdpbusd 4+" XO X "%{1to16%}, %%zmm26, %%zmm" SUM "\n\t"
#define QT_DOT_A(XO, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_DOT(XO, X, A)
#define QT_DOT_B(XO, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_DOT(XO, X, B)
#define QT_DOT_C(XO, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_DOT(XO, X, C)
#define QT_DOT_D(XO, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_DOT(XO, X, D)
#define QT_FOLD_AB(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_FOLD("25", "26", A, B, E, F)
#define QT_FOLD_CD(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) QT_FOLD("25", "26", C, D, G, H)
#define QT_WIDE_SCALE(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) \
  "vmulps 4*" ROW "(%[w])%{1to16%}, %%zmm" E ", %%zmm" E "\n\t" \
  "vmulps 4*" ROW "(%[w])%{1to16%}, %%zmm" F ", %%zmm" F "\n\t" \
  "vmulps 4*" ROW "(%[w])%{1to16%}, %%zmm" G ", %%zmm" G "\n\t" \
  "vmulps 4*" ROW "(%[w])%{1to16%}, %%zmm" H ", %%zmm" H "\n\t"
#define QT_WIDE_KEEP(ARG, ROW, SUM, X, A, B, C, D, E, F, G, H) \
  "vmovups %%zmm" E ", 256*" ROW "(%[out])\n\tvmovups %%zmm" F ", 256*" ROW "+64(%[out])\n\t" \
  "vmovups %%zmm" G ", 256*" ROW "+128(%[out])\n\tvmovups %%zmm" H ", 256*" ROW "+192(%[out])\n\t"

#define QT_WIDE_BYTES(WO, ZEROS) \
  "vmovdqa64 " WO "(%[w]), %%zmm24\n\t" \
  QT_BYTES("vpsllw $3", "24", "25", ZEROS) QT_BYTES("vpsrlw $1", "24", "26", ZEROS)
#define QT_WIDE_LINE(EACH, WO, XO) \
  QT_WIDE_BYTES(WO, "27") EACH(QT_DOT_A, XO) QT_WIDE_BYTES(WO "+64", "28") EACH(QT_DOT_B, XO) \
  QT_WIDE_BYTES(WO "+128", "30") EACH(QT_DOT_C, XO) QT_WIDE_BYTES(WO "+192", "31") EACH(QT_DOT_D, XO)
#define QT_WIDE_SCALES(AT) \
  "vmovdqa64 " AT "(%[w]), %%zmm24\n\tvpslld $16, %%zmm24, %%zmm25\n\t" \
  "vpandd 260(%[c])%{1to16%}, %%zmm24, %%zmm26\n\t"

#define QT_DIRECT(NAME, EACH) \
  void NAME(const Int4Rows& rows, const std::byte* panel, int64_t groups, float* tile) { \
    const int8_t* x = rows.x; \
    const int32_t* g = rows.group_sums; \
    const float* scales = rows.scales; \
    __asm__ volatile( \
        "vpbroadcastd 256(%[c]), %%zmm29\n\t" \
        EACH(QT_WIDE_ZERO, "") \
        ".p2align 5\n" \
        "1:\n\t" \
        "vmovdqa64 128(%[w]), %%zmm24\n\t" \
        "vpshufb (%[c]), %%zmm24, %%zmm27\n\tvpshufb 64(%[c]), %%zmm24, %%zmm28\n\t" \
        "vpshufb 128(%[c]), %%zmm24, %%zmm30\n\tvpshufb 192(%[c]), %%zmm24, %%zmm31\n\t" \
        "vpxord %%zmm24, %%zmm24, %%zmm24\n\t" \
        EACH(QT_WIDE_START, "") \
        QT_WIDE_LINE(EACH, "192", "0") \
        QT_WIDE_LINE(EACH, "448", "8") \
        QT_WIDE_LINE(EACH, "704", "16") \
        QT_WIDE_LINE(EACH, "960", "24") \
        QT_WIDE_SCALES("0") EACH(QT_FOLD_AB, "") \
        QT_WIDE_SCALES("64") EACH(QT_FOLD_CD, "") \
        "add $32, %[x]\n\t" \
        "add $4, %[g]\n\t" \
        "add $1216, %[w]\n\t" \
        "dec %[left]\n\t" \
        "jnz 1b\n\t" \
        "mov %[scales], %[w]\n\t" \
        EACH(QT_WIDE_SCALE, "") \
        EACH(QT_WIDE_KEEP, "") \
        "vzeroupper" \
        : [x] "+r"(x), [g] "+r"(g), [w] "+r"(panel), [left] "+r"(groups) \
        : [s] "r"(rows.stride), [t] "r"(4 * rows.group_stride), [c] "r"(&kConstants), \
          [out] "r"(tile), [scales] "m"(scales) \
        : QT_ALL_REGISTERS); \
  }

// clang-format on

namespace quintet::kernels::internal {
namespace {

// For each register of channels, where its zeros stand, each to be repeated in the four bytes of
// the channel; at 256, 120 in each byte; at 260, the upper half of a word.
struct alignas(64) Constants {
  std::array<std::byte, 320> bytes;
};
constexpr Constants kConstants = [] {
  Constants c{};
  for (size_t i = 0; i < 256; ++i) c.bytes[i] = static_cast<std::byte>(i % 16 / 4 * 4 + i / 64);
  for (size_t i = 256; i < 260; ++i) c.bytes[i] = std::byte{120};
  c.bytes[262] = c.bytes[263] = std::byte{255};
  return c;
}();

}  // namespace

QT_ISA_BEGIN(QT_TARGET_AVX512)

namespace {

struct V {
  using Int = __m512i;
  using Float = __m512;
  static constexpr int64_t kLanes = 16;

  static Int load(const std::byte* p) { return _mm512_load_si512(p); }
  static Int low_nibbles(Int v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  static Int high_nibbles(Int v) { return low_nibbles(_mm512_srli_epi16(v, 4)); }
  static Int word(const int8_t* x) { return _mm512_broadcastd_epi32(_mm_loadu_si32(x)); }
  static Int broadcast_int(int32_t x) { return _mm512_set1_epi32(x); }
  static Int byte_of(Int words, int i) {
    return _mm512_and_si512(_mm512_srlv_epi32(words, _mm512_set1_epi32(8 * i)),
                            _mm512_set1_epi32(255));
  }
  static Int subtract_128(Int v) { return _mm512_sub_epi32(v, _mm512_set1_epi32(128)); }
  static Int no_products() { return _mm512_setzero_si512(); }
  static Int add_products(Int sum, Int w, Int x) { return _mm512_dpbusd_epi32(sum, w, x); }
  static Int times_8(Int products) { return _mm512_slli_epi32(products, 3); }
  static Int multiply(Int a, Int b) { return _mm512_mullo_epi32(a, b); }
  static Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  static Float to_float(Int v) { return _mm512_cvtepi32_ps(v); }
  static Float low_bf16(Int v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
  static Float high_bf16(Int v) {
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(-65536)));
  }
  static Float load_float(const float* p) { return _mm512_loadu_ps(p); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static void store(float* p, Float x) { _mm512_storeu_ps(p, x); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"

QT_DIRECT(two_rows, QT_WIDE_2)

QT_PART(part_1, QT_EACH_1, QT_ROWS_1)
QT_PART(part_2, QT_EACH_2, QT_ROWS_2)
QT_PART(part_3, QT_EACH_3, QT_ROWS_3)
QT_PART(part_4, QT_EACH_4, QT_ROWS_4)
QT_PART(part_5, QT_EACH_5, QT_ROWS_5)
QT_PART(part_6, QT_EACH_6, QT_ROWS_6)

}  // namespace

QT_ISA_END

const Int4Kernels& int4_kernels_avx512() {
  static constexpr Int4Kernels kKernels = {
      .name = "i4 avx512",
      .direct = {int4_one_row, two_rows},
      .direct_rows = 2,
      .unpack = nullptr,
      .part_channels = 32,
      .part_group_bytes = 0,
      .part_rows = 6,
      .part = {part_1, part_2, part_3, part_4, part_5, part_6}};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
