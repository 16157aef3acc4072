#include "quintet/engine/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quintet {
namespace {

TEST(ParsePrecision, ReadsBackEveryNameAndLeavesAutoOpen) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBF16, Precision::kInt8, Precision::kInt4}) {
    EXPECT_EQ(parse_precision(precision_name(precision)).value(), precision);
  }
  EXPECT_EQ(parse_precision("auto").value(), std::nullopt);
}

TEST(ParsePrecision, NamesWhatItDoesNotKnowAndWhatItDoes) {
  for (const char* name : {"", "INT8", "fp16", "int8 "}) {
    const auto precision = parse_precision(name);
    ASSERT_FALSE(precision) << name;
    EXPECT_EQ(precision.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(precision.error().message(),
                testing::HasSubstr('"' + std::string(name) + "\" is unknown; use auto, fp32"));
  }
}

}  // namespace
}  // namespace quintet
