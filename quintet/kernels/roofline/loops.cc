#include "quintet/kernels/roofline/loops.h"

#include "quintet/kernels/isa.h"

namespace quintet::kernels {

#if defined(__x86_64__)

namespace {

// As float32 about 1.1, as bfloat16 pairs 1.2 and 1.1: zeros would draw less power than data does.
constexpr uint32_t kOperand = 0x3f8e3f9d;

// Loops are inline assembly, so that no compiler can shorten them. Operands in registers 14 and 15,
// sums in 0 to 11: more chains than latency times throughput of any multiply-add to date (2 a
// cycle, 5 cycles).
// clang-format off
#define QT_TWELVE(OP) \
  OP("0") OP("1") OP("2") OP("3") OP("4") OP("5") OP("6") OP("7") OP("8") OP("9") OP("10") OP("11")
#define QT_FMA512(R) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" R "\n\t"
#define QT_BF16_512(R) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" R "\n\t"
#define QT_VNNI512(R) "vpdpbusd %%zmm14, %%zmm15, %%zmm" R "\n\t"
#define QT_FMA256(R) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" R "\n\t"
#define QT_VNNI256(R) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" R "\n\t"
#define QT_MADD256(R) \
  "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n\tvpmaddwd %%ymm15, %%ymm12, %%ymm12\n\t" \
  "vpaddd %%ymm12, %%ymm" R ", %%ymm" R "\n\t"
// SSE overwrites an operand: a move that costs no unit starts each product afresh.
#define QT_SIX_SUMS(OP) \
  OP("0", "6") OP("1", "7") OP("2", "8") OP("3", "9") OP("4", "10") OP("5", "11")
#define QT_MULADD128(R, P) \
  "movaps %%xmm14, %%xmm" P "\n\tmulps %%xmm14, %%xmm" P "\n\taddps %%xmm" P ", %%xmm" R "\n\t"
#define QT_MADD128(R, P) \
  "movdqa %%xmm14, %%xmm" P "\n\tpmaddubsw %%xmm14, %%xmm" P "\n\t" \
  "pmaddwd %%xmm14, %%xmm" P "\n\tpaddd %%xmm" P ", %%xmm" R "\n\t"

#define QT_LOOP(NAME, BEGIN, STEP, END) \
  void NAME(int64_t steps) { \
    __asm__ volatile( \
        BEGIN \
        ".p2align 5\n" \
        "1:\n\t" \
        STEP \
        "dec %[left]\n\t" \
        "jnz 1b\n\t" \
        END \
        : [left] "+r"(steps) \
        : [operand] "m"(kOperand) \
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"); \
  }
#define QT_LOOP128(NAME, STEP) \
  QT_LOOP(NAME, \
          "movss %[operand], %%xmm14\n\tshufps $0, %%xmm14, %%xmm14\n\t" \
          "xorps %%xmm0, %%xmm0\n\txorps %%xmm1, %%xmm1\n\txorps %%xmm2, %%xmm2\n\t" \
          "xorps %%xmm3, %%xmm3\n\txorps %%xmm4, %%xmm4\n\txorps %%xmm5, %%xmm5\n", \
          STEP, "")
#define QT_LOOP_WIDE(NAME, REGISTER, OP) \
  QT_LOOP(NAME, \
          "vzeroall\n\tvbroadcastss %[operand], %%" REGISTER "14\n\t" \
          "vbroadcastss %[operand], %%" REGISTER "15\n", \
          QT_TWELVE(OP), "vzeroupper")

#define QT_READ_EIGHT(MOVE, AT0, AT1, AT2, AT3, AT4, AT5, AT6, AT7, REGISTER) \
  MOVE " " AT0 "(%[at]), %%" REGISTER "0\n\t" MOVE " " AT1 "(%[at]), %%" REGISTER "1\n\t" \
  MOVE " " AT2 "(%[at]), %%" REGISTER "2\n\t" MOVE " " AT3 "(%[at]), %%" REGISTER "3\n\t" \
  MOVE " " AT4 "(%[at]), %%" REGISTER "4\n\t" MOVE " " AT5 "(%[at]), %%" REGISTER "5\n\t" \
  MOVE " " AT6 "(%[at]), %%" REGISTER "6\n\t" MOVE " " AT7 "(%[at]), %%" REGISTER "7\n\t"
#define QT_READ_256(MOVE, BASE, REGISTER) \
  QT_READ_EIGHT(MOVE, BASE "+0", BASE "+32", BASE "+64", BASE "+96", BASE "+128", BASE "+160", \
                BASE "+192", BASE "+224", REGISTER)
#define QT_READ_128(MOVE, BASE, REGISTER) \
  QT_READ_EIGHT(MOVE, BASE "+0", BASE "+16", BASE "+32", BASE "+48", BASE "+64", BASE "+80", \
                BASE "+96", BASE "+112", REGISTER)
#define QT_STEP512 \
  QT_READ_EIGHT("vmovaps", "0", "64", "128", "192", "256", "320", "384", "448", "zmm")
#define QT_STEP256 QT_READ_256("vmovaps", "0", "ymm") QT_READ_256("vmovaps", "256", "ymm")
#define QT_STEP128 \
  QT_READ_128("movaps", "0", "xmm") QT_READ_128("movaps", "128", "xmm") \
  QT_READ_128("movaps", "256", "xmm") QT_READ_128("movaps", "384", "xmm")
#define QT_READ(NAME, STEP, END) \
  void NAME(const std::byte* data, int64_t bytes) { \
    int64_t left = bytes / kReadStepBytes; \
    if (left == 0) return; \
    __asm__ volatile( \
        ".p2align 5\n" \
        "1:\n\t" \
        STEP \
        "add $512, %[at]\n\t" \
        "dec %[left]\n\t" \
        "jnz 1b\n\t" \
        END \
        : [at] "+r"(data), [left] "+r"(left) \
        : \
        : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7"); \
  }
// clang-format on

QT_LOOP128(multiply_add_base, QT_SIX_SUMS(QT_MULADD128))
QT_LOOP128(int8_base, QT_SIX_SUMS(QT_MADD128))
QT_READ(read_base, QT_STEP128, "")

QT_ISA_BEGIN(QT_TARGET_AVX512)
QT_LOOP_WIDE(fma_avx2, "ymm", QT_FMA256)
QT_LOOP_WIDE(int8_avx2, "ymm", QT_MADD256)
QT_LOOP_WIDE(int8_avx_vnni, "ymm", QT_VNNI256)
QT_LOOP_WIDE(fma_avx512, "zmm", QT_FMA512)
QT_LOOP_WIDE(int8_avx512, "zmm", QT_VNNI512)
QT_LOOP_WIDE(bf16_avx512, "zmm", QT_BF16_512)
QT_READ(read_avx2, QT_STEP256, "vzeroupper")
QT_READ(read_avx512, QT_STEP512, "vzeroupper")
QT_ISA_END

// Chains times lanes times products of a lane times two.
PeakLoop int8_loop(Isa isa) {
  switch (isa) {
    case Isa::kBase: return {int8_base, 6 * 4 * 4 * 2};
    case Isa::kAvx2: return {int8_avx2, 12 * 8 * 4 * 2};
    case Isa::kAvxVnni: return {int8_avx_vnni, 12 * 8 * 4 * 2};
    case Isa::kAvx512:
    case Isa::kAvx512Bf16: return {int8_avx512, 12 * 16 * 4 * 2};
  }
  return {};
}

PeakLoop float32_loop(Isa isa) {
  if (isa >= Isa::kAvx512) return {fma_avx512, 12 * 16 * 2};
  if (isa >= Isa::kAvx2) return {fma_avx2, 12 * 8 * 2};
  return {multiply_add_base, 6 * 4 * 2};
}

}  // namespace

PeakLoop peak_loop(DType type, Isa isa) {
  if (type == DType::kI8) return int8_loop(isa);
  if (type == DType::kBF16 && isa == Isa::kAvx512Bf16) return {bf16_avx512, 12 * 16 * 2 * 2};
  return float32_loop(isa);
}

ReadLoop read_loop(Isa isa) {
  if (isa >= Isa::kAvx512) return read_avx512;
  return isa >= Isa::kAvx2 ? read_avx2 : read_base;
}

#else

PeakLoop peak_loop(DType, Isa) { return {}; }
ReadLoop read_loop(Isa) { return nullptr; }

#endif

}  // namespace quintet::kernels
