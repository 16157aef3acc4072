#include "quintet/core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace quintet {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return Error(Code::kInvalidArgument, "odd: " + std::to_string(x));
  return x / 2;
}

Result<void> require_even(int x) {
  QT_TRY_VOID(half(x));
  return {};
}

Result<std::string> quarter(int x) {
  QT_TRY(const int first, half(x));
  QT_TRY(const int second, half(first));
  return std::to_string(second);
}

TEST(Result, HoldsTheValueOrTheError) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 4);
  const Result<int> bad = half(7);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(bad.error().message(), "odd: 7");
}

TEST(Result, TryPassesTheFirstErrorOnAndTheValueThrough) {
  EXPECT_EQ(*quarter(8), "2");
  EXPECT_EQ(quarter(3).error().message(), "odd: 3");
  EXPECT_EQ(quarter(6).error().message(), "odd: 3");
}

TEST(Result, TryVoidPassesTheErrorOfAValuedResultOn) {
  EXPECT_TRUE(require_even(2));
  EXPECT_EQ(require_even(1).error().message(), "odd: 1");
}

TEST(Result, CarriesTypesThatOnlyMove) {
  const auto make = [](bool good) -> Result<std::unique_ptr<int>> {
    if (!good) return Error(Code::kIo, "no");
    return std::make_unique<int>(5);
  };
  const auto pass_on = [&](bool good) -> Result<std::unique_ptr<int>> {
    QT_TRY(std::unique_ptr<int> p, make(good));
    ++*p;
    return p;
  };
  EXPECT_EQ(**pass_on(true), 6);
  EXPECT_EQ(pass_on(false).error().code(), Code::kIo);
}

TEST(Result, CarriesAStringApartFromItsError) {
  // Both alternatives can be made from a string: the value must stay a value.
  const Result<std::string> good = std::string("text");
  EXPECT_TRUE(good);
  EXPECT_EQ(good->size(), 4u);
}

TEST(Result, WithNamesThePlacesFromTheOutsideIn) {
  const Result<int> bad = half(5).with("heads").with("config.json");
  EXPECT_EQ(bad.error().message(), "config.json: heads: odd: 5");
  EXPECT_EQ(bad.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(*half(4).with("heads"), 2);
  EXPECT_EQ(require_even(1).with("x").error().message(), "x: odd: 1");
  EXPECT_TRUE(require_even(2).with("x"));
}

TEST(ResultDeathTest, ValueOfAFailedResultEndsTheProgramWithItsMessage) {
  EXPECT_DEATH(static_cast<void>(half(7).value()), "odd: 7");
}

TEST(Error, ContextThatTheMessageHasAlreadyIsNotRepeated) {
  EXPECT_EQ(Error(Code::kIo, "a.bin: is cut off").with("a.bin").message(), "a.bin: is cut off");
  EXPECT_EQ(Error(Code::kIo, "a.bin is cut off").with("a.bin").message(),
            "a.bin: a.bin is cut off");
}

}  // namespace
}  // namespace quintet
