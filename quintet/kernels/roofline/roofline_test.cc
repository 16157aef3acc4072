#include "quintet/kernels/roofline/roofline.h"

#include <gtest/gtest.h>

#include "quintet/core/aligned.h"
#include "quintet/kernels/roofline/loops.h"
#include "quintet/kernels/vec/kernel_testing.h"

namespace quintet::kernels {
namespace {

QT_EVERY_ISA(RooflineLoops);

TEST_P(RooflineLoops, RunWithTheInstructionsOfTheirLevel) {
  for (const DType type : {DType::kF32, DType::kBF16, DType::kI8}) {
    const PeakLoop loop = peak_loop(type, GetParam());
    ASSERT_NE(loop.run, nullptr) << dtype_name(type);
    loop.run(3);
  }
}

TEST_P(RooflineLoops, WiderTypesDoNotCountMoreOperationsThanNarrowOnes) {
  const double f32 = peak_loop(DType::kF32, GetParam()).operations_per_step;
  const double bf16 = peak_loop(DType::kBF16, GetParam()).operations_per_step;
  const double i8 = peak_loop(DType::kI8, GetParam()).operations_per_step;
  EXPECT_GT(f32, 0);
  EXPECT_LE(f32, bf16);
  EXPECT_LE(bf16, i8);
}

TEST_P(RooflineLoops, ReadNothingBeyondTheEnd) {
  for (const int64_t steps : {0, 1, 2, 9}) {
    // A multiple of 512 that ends at a guard page begins at a multiple of 64.
    GuardedArray<std::byte> data(steps * kReadStepBytes + kAlignment);
    read_loop(GetParam())(data.data() + kAlignment, steps * kReadStepBytes);
  }
}

TEST_P(RooflineLoops, AllRatesArePositive) {
  ThreadPool pool(2);
  const Roofline roofline = measure_roofline(pool);
  EXPECT_EQ(roofline.threads, 2);
  for (const Rates& rates : {roofline.one, roofline.all}) {
    EXPECT_GT(rates.f32, 0);
    EXPECT_GE(rates.bf16, rates.f32);
    EXPECT_GT(rates.i8, 0);
    EXPECT_GT(rates.l2, 0);
    EXPECT_GT(rates.l3, 0);
    EXPECT_GT(rates.memory, 0);
  }
}

TEST(Roofline, OneThreadIsMeasuredOnce) {
  ThreadPool pool(1);
  const Roofline roofline = measure_roofline(pool);
  EXPECT_EQ(roofline.threads, 1);
  EXPECT_EQ(roofline.one.f32, roofline.all.f32);
  EXPECT_EQ(roofline.one.memory, roofline.all.memory);
}

TEST(Roofline, DataIsReadFromTheCacheThatItFits) {
  const Roofline roofline{.threads = 2,
                          .l2_bytes = 100,
                          .l3_bytes = 1000,
                          .one = {.memory = 1, .l3 = 2, .l2 = 3},
                          .all = {.memory = 10, .l3 = 20, .l2 = 30}};
  EXPECT_EQ(roofline.bytes_per_second(100, 1), 3);
  EXPECT_EQ(roofline.bytes_per_second(101, 1), 2);
  EXPECT_EQ(roofline.bytes_per_second(200, 2), 30);
  EXPECT_EQ(roofline.bytes_per_second(201, 2), 20);
  EXPECT_EQ(roofline.bytes_per_second(1001, 2), 10);
}

TEST(Roofline, EachTypeHasItsPeak) {
  const Rates rates{.f32 = 1, .bf16 = 2, .i8 = 3};
  EXPECT_EQ(rates.operations_per_second(DType::kF32), 1);
  EXPECT_EQ(rates.operations_per_second(DType::kBF16), 2);
  EXPECT_EQ(rates.operations_per_second(DType::kI8), 3);
}

}  // namespace
}  // namespace quintet::kernels
