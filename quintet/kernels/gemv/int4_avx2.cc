// AVX2 and AVX-VNNI. The loop over many rows is inline assembly with fixed registers, for a tile of
// 3 rows and 16 channels:
//     ymm0-5 integers and ymm6-11 floats, row by row    ymm12-13 weights, scales
//     ymm14 word of x                                   ymm15 scratch
// Without VNNI the operands are bare codes: a group's 8 products of pairs of codes and bytes, at
// most 2 * 15 * 127 each, fit 16 bits, which 8 q + zero would not.
#if defined(__x86_64__)

#include <immintrin.h>

#include "quintet/kernels/gemv/int4_kernels.h"
#include "quintet/kernels/isa.h"

// clang-format off

// DO(row, place of its group sum, integers A and B, floats C and D).
#define QT_EACH_1(DO) DO("0", "(%[g])", "0", "1", "6", "7")
#define QT_EACH_2(DO) QT_EACH_1(DO) DO("1", "(%[g],%[t])", "2", "3", "8", "9")
#define QT_EACH_3(DO) QT_EACH_2(DO) DO("2", "(%[g],%[t],2)", "4", "5", "10", "11")

#define QT_ZERO(ROW, SUM, A, B, C, D) \
  "vpxor %%ymm" C ", %%ymm" C ", %%ymm" C "\n\tvpxor %%ymm" D ", %%ymm" D ", %%ymm" D "\n\t"
#define QT_RESUME(ROW, SUM, A, B, C, D) \
  "vmovups 256*" ROW "(%[out]), %%ymm" C "\n\tvmovups 256*" ROW "+32(%[out]), %%ymm" D "\n\t"
#define QT_START(ROW, SUM, A, B, C, D) QT_ZERO(ROW, SUM, C, D, A, B)
// The integers begin with what the 128 in every weight has added.
#define QT_START_VNNI(ROW, SUM, A, B, C, D) \
  "vpbroadcastd " SUM ", %%ymm14\n\tvpslld $7, %%ymm14, %%ymm14\n\t" \
  "vpsubd %%ymm14, %%ymm15, %%ymm" A "\n\tvpsubd %%ymm14, %%ymm15, %%ymm" B "\n\t"
#define QT_WIDEN(A, AT) \
  "vpmaddwd %[eights], %%ymm" A ", %%ymm" A "\n\t" \
  "vpmulld " AT "(%[w]), %%ymm14, %%ymm15\n\tvpaddd %%ymm15, %%ymm" A ", %%ymm" A "\n\t"
#define QT_FOLD(ROW, SUM, A, B, C, D) \
  "vpbroadcastd " SUM ", %%ymm14\n\t" QT_WIDEN(A, "576") QT_WIDEN(B, "608") \
  QT_FOLD_VNNI(ROW, SUM, A, B, C, D)
#define QT_FOLD_VNNI(ROW, SUM, A, B, C, D) \
  "vcvtdq2ps %%ymm" A ", %%ymm" A "\n\tvcvtdq2ps %%ymm" B ", %%ymm" B "\n\t" \
  "vfmadd231ps %%ymm" A ", %%ymm12, %%ymm" C "\n\tvfmadd231ps %%ymm" B ", %%ymm13, %%ymm" D "\n\t"
#define QT_SCALE(ROW, SUM, A, B, C, D) \
  "vbroadcastss 4*" ROW "(%[w]), %%ymm12\n\t" \
  "vmulps %%ymm12, %%ymm" C ", %%ymm" C "\n\tvmulps %%ymm12, %%ymm" D ", %%ymm" D "\n\t"
#define QT_KEEP(ROW, SUM, A, B, C, D) \
  "vmovups %%ymm" C ", 256*" ROW "(%[out])\n\tvmovups %%ymm" D ", 256*" ROW "+32(%[out])\n\t"

#define QT_OP(W, SUM) \
  "vpmaddubsw %%ymm14, %%ymm" W ", %%ymm15\n\tvpaddw %%ymm15, %%ymm" SUM ", %%ymm" SUM "\n\t"
#define QT_OP_VNNI(W, SUM) "%{vex%} vpdpbusd %%ymm14, %%ymm" W ", %%ymm" SUM "\n\t"
#define QT_ROW(OP, AT, A, B) "vpbroadcastd " AT ", %%ymm14\n\t" OP("12", A) OP("13", B)
#define QT_ROWS_1(OP, XO) QT_ROW(OP, XO "(%[x])", "0", "1")
#define QT_ROWS_2(OP, XO) QT_ROWS_1(OP, XO) QT_ROW(OP, XO "(%[x],%[s])", "2", "3")
#define QT_ROWS_3(OP, XO) QT_ROWS_2(OP, XO) QT_ROW(OP, XO "(%[x],%[s],2)", "4", "5")

#define QT_LOAD(WO) "vmovaps " WO "(%[w]), %%ymm12\n\tvmovaps " WO "+32(%[w]), %%ymm13\n\t"
#define QT_QUADS(OP, ROWS) \
  QT_LOAD("0") ROWS(OP, "0") QT_LOAD("64") ROWS(OP, "4") QT_LOAD("128") ROWS(OP, "8") \
  QT_LOAD("192") ROWS(OP, "12") QT_LOAD("256") ROWS(OP, "16") QT_LOAD("320") ROWS(OP, "20") \
  QT_LOAD("384") ROWS(OP, "24") QT_LOAD("448") ROWS(OP, "28")

#define QT_AHEAD(AT) "prefetcht1 " AT "(%[ahead])\n\tprefetcht1 " AT "+64(%[ahead])\n\t"

#define QT_PART(NAME, EACH, ROWS, OP, START, FOLD, GROUP_BYTES) \
  void NAME(const Int4Rows& rows, const Int4Part& part) { \
    const int8_t* x = rows.x; \
    const int32_t* g = rows.group_sums; \
    const std::byte* w = part.lines; \
    const std::byte* ahead = part.ahead; \
    int64_t left = part.groups; \
    /* Operands in memory, copied so that none of them wants a register for its address. */ \
    const Int4Part at = part; \
    const float* scales = rows.scales; \
    __asm__ volatile( \
        EACH(QT_ZERO) \
        "cmpb $0, %[resume]\n\t" \
        "je 1f\n\t" \
        EACH(QT_RESUME) \
        ".p2align 5\n" \
        "1:\n\t" \
        "vpxor %%ymm15, %%ymm15, %%ymm15\n\t" \
        EACH(START) \
        QT_QUADS(OP, ROWS) \
        QT_LOAD("512") \
        EACH(FOLD) \
        QT_AHEAD("0") QT_AHEAD("128") QT_AHEAD("256") QT_AHEAD("384") QT_AHEAD("512") \
        "add %[step], %[ahead]\n\t" \
        "add $32, %[x]\n\t" \
        "add $4, %[g]\n\t" \
        "add $" GROUP_BYTES ", %[w]\n\t" \
        "dec %[left]\n\t" \
        "jnz 1b\n\t" \
        "cmpb $0, %[finish]\n\t" \
        "je 2f\n\t" \
        "mov %[scales], %[w]\n\t" \
        EACH(QT_SCALE) \
        "2:\n\t" \
        EACH(QT_KEEP) \
        "vzeroupper" \
        : [x] "+r"(x), [g] "+r"(g), [w] "+r"(w), [left] "+r"(left), [ahead] "+r"(ahead) \
        : [s] "r"(rows.stride), [t] "r"(4 * rows.group_stride), [step] "r"(part.ahead_step), \
          [out] "r"(part.tile), [eights] "m"(kEights), [scales] "m"(scales), \
          [resume] "m"(at.resume), [finish] "m"(at.finish) \
        : "memory", "cc", "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", \
          "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"); \
  }
#define QT_PARTS(NAME, OP, START, FOLD, GROUP_BYTES) \
  QT_PART(NAME##_1, QT_EACH_1, QT_ROWS_1, OP, START, FOLD, GROUP_BYTES) \
  QT_PART(NAME##_2, QT_EACH_2, QT_ROWS_2, OP, START, FOLD, GROUP_BYTES) \
  QT_PART(NAME##_3, QT_EACH_3, QT_ROWS_3, OP, START, FOLD, GROUP_BYTES)

// clang-format on

namespace quintet::kernels::internal {
namespace {

struct alignas(32) Words {
  std::array<int16_t, 16> values;
};
constexpr Words kEights = {{8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8}};

}  // namespace

QT_ISA_BEGIN(QT_TARGET_AVX2)

namespace avx2 {
namespace {

struct V {
  using Int = __m256i;
  using Float = __m256;
  static constexpr int64_t kLanes = 8;
  static constexpr bool kOperandsHaveZeros = false;

  static Int load(const std::byte* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void put(std::byte* p, Int v) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
  static void put_float(std::byte* p, Float v) { put(p, _mm256_castps_si256(v)); }
  static Int low_nibbles(Int v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
  static Int high_nibbles(Int v) { return low_nibbles(_mm256_srli_epi16(v, 4)); }
  static Int low_operand(Int v, Int) { return low_nibbles(v); }
  static Int high_operand(Int v, Int) { return high_nibbles(v); }
  static Int word(const int8_t* x) { return _mm256_broadcastd_epi32(_mm_loadu_si32(x)); }
  static Int broadcast_int(int32_t x) { return _mm256_set1_epi32(x); }
  static Int byte_of(Int words, int i) {
    return _mm256_and_si256(_mm256_srlv_epi32(words, _mm256_set1_epi32(8 * i)),
                            _mm256_set1_epi32(255));
  }
  static Int byte_everywhere(Int words, int i) {
    const Int first = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404,
                                        0x08080808, 0x0c0c0c0c);
    return _mm256_shuffle_epi8(words,
                               _mm256_add_epi8(first, _mm256_set1_epi8(static_cast<char>(i))));
  }
  static Int subtract_128(Int v) { return _mm256_sub_epi32(v, _mm256_set1_epi32(128)); }
  // Sums of 16 bits.
  static Int no_products() { return _mm256_setzero_si256(); }
  static Int add_products(Int sum, Int w, Int x) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x));
  }
  static Int times_8(Int products) { return _mm256_madd_epi16(products, _mm256_set1_epi16(8)); }
  static Int multiply(Int a, Int b) { return _mm256_mullo_epi32(a, b); }
  static Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  static Float to_float(Int v) { return _mm256_cvtepi32_ps(v); }
  static Float low_bf16(Int v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
  static Float high_bf16(Int v) {
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)));
  }
  static Float load_float(const float* p) { return _mm256_loadu_ps(p); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static void store(float* p, Float x) { _mm256_storeu_ps(p, x); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"
#include "quintet/kernels/gemv/int4_unpack.inc"

QT_PARTS(part, QT_OP, QT_START, QT_FOLD, "640")

}  // namespace
}  // namespace avx2

QT_ISA_END

QT_ISA_BEGIN(QT_TARGET_AVX_VNNI)

namespace avx_vnni {
namespace {

struct V : avx2::V {
  static constexpr bool kOperandsHaveZeros = true;

  // 8 q + zero.
  static Int low_operand(Int v, Int zeros) {
    return _mm256_add_epi8(_mm256_and_si256(_mm256_slli_epi16(v, 3), _mm256_set1_epi8(120)), zeros);
  }
  static Int high_operand(Int v, Int zeros) {
    return _mm256_add_epi8(_mm256_and_si256(_mm256_srli_epi16(v, 1), _mm256_set1_epi8(120)), zeros);
  }
  static Int add_products(Int sum, Int w, Int x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
  static Int times_8(Int products) { return _mm256_slli_epi32(products, 3); }
};

#include "quintet/kernels/gemv/int4_kernel.inc"
#include "quintet/kernels/gemv/int4_unpack.inc"

QT_PARTS(part, QT_OP_VNNI, QT_START_VNNI, QT_FOLD_VNNI, "576")

}  // namespace
}  // namespace avx_vnni

QT_ISA_END

const Int4Kernels& int4_kernels_avx2() {
  using namespace avx2;
  static constexpr Int4Kernels kKernels = {.name = "i4 avx2",
                                           .direct = {int4_one_row},
                                           .direct_rows = 1,
                                           .unpack = int4_unpack,
                                           .part_channels = kPartChannels,
                                           .part_group_bytes = kPartGroupBytes,
                                           .part_rows = 3,
                                           .part = {part_1, part_2, part_3}};
  return kKernels;
}

const Int4Kernels& int4_kernels_avx_vnni() {
  using namespace avx_vnni;
  static constexpr Int4Kernels kKernels = {.name = "i4 avx_vnni",
                                           .direct = {int4_one_row},
                                           .direct_rows = 1,
                                           .unpack = int4_unpack,
                                           .part_channels = kPartChannels,
                                           .part_group_bytes = kPartGroupBytes,
                                           .part_rows = 3,
                                           .part = {part_1, part_2, part_3}};
  return kKernels;
}

}  // namespace quintet::kernels::internal

#endif
