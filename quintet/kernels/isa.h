// Regions of code compiled for one instruction set, within files compiled for the baseline.
//
//   #include everything first: what headers define stays baseline code
//   QT_ISA_BEGIN("avx2,fma,f16c")
//   namespace { void row_avx2(...) { ... _mm256_... } }
//   QT_ISA_END
//
// A flag per file would not do: inline functions of the standard library would be emitted with
// instructions that the linker may then keep for every caller.
#pragma once

#define QT_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define QT_ISA_BEGIN(features) \
  QT_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define QT_ISA_END QT_PRAGMA(clang attribute pop)
#else
// GCC 12 warns falsely about the undefined operands inside its own AVX-512 headers.
#define QT_ISA_BEGIN(features)                        \
  QT_PRAGMA(GCC push_options)                         \
  QT_PRAGMA(GCC target(features))                     \
  QT_PRAGMA(GCC diagnostic push)                      \
  QT_PRAGMA(GCC diagnostic ignored "-Wuninitialized") \
  QT_PRAGMA(GCC diagnostic ignored "-Wmaybe-uninitialized")
#define QT_ISA_END QT_PRAGMA(GCC diagnostic pop) QT_PRAGMA(GCC pop_options)
#endif

#define QT_TARGET_AVX2 "avx2,fma,f16c"
#define QT_TARGET_AVX_VNNI "avx2,fma,f16c,avxvnni"
#define QT_TARGET_AVX512 "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"

#define QT_TARGET_AVX512_BF16 \
  "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16"
