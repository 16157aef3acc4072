#include "quintet/engine/automatic_precision.h"

#include <gtest/gtest.h>

#include <fstream>

#include "quintet/io/catalogue/manifest.h"
#include "quintet/io/formats/test_files.h"

namespace quintet {
namespace {

std::string check_with(double points, double upper_end) {
  AccuracyCheck check;
  check.data = "test.jsonl";
  check.date = "2026-11-25";
  check.difference = {points, points, upper_end};
  check.max_drop = 1;
  return accuracy_check_to_json(check);
}

class AutomaticPrecisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_ / "model.bin") << "12345";
    io::Manifest manifest;
    manifest.files = {{"model.bin", 5, std::string(64, 'a')}};
    ASSERT_TRUE(io::write_manifest(folder_.path(), manifest));
    io::CatalogueModel model;
    model.name = "m";
    model.files.resize(1);
    model.files[0].name = "model.bin";
    model.files[0].sha256 = std::string(64, 'a');
    catalogue_.models = {model};
  }

  std::vector<io::CatalogueCheck>& checks() { return catalogue_.models[0].checks; }
  AutomaticPrecision chosen() { return automatic_precision(folder_.path(), catalogue_); }

  io::testing::TemporaryFolder folder_;
  io::Catalogue catalogue_;
};

TEST_F(AutomaticPrecisionTest, IsTheFirstThatHasPassedItsCheck) {
  checks() = {
      {"int4", check_with(0.5, 1.1)}, {"int8", check_with(0.2, 1)}, {"bf16", check_with(0, 0)}};
  EXPECT_EQ(chosen().precision, Precision::kInt8);
  ASSERT_TRUE(chosen().check);
  EXPECT_EQ(chosen().check->difference.value, 0.2);
}

TEST_F(AutomaticPrecisionTest, IsBfloat16WhereNoneHasPassedOrNobodyHasMeasured) {
  EXPECT_EQ(chosen().precision, Precision::kBF16);
  checks() = {{"int8", check_with(1.1, 2)}};
  EXPECT_EQ(chosen().precision, Precision::kBF16);
  EXPECT_FALSE(chosen().check);
}

TEST_F(AutomaticPrecisionTest, DependsOnTheContentsAndNotOnTheName) {
  checks() = {{"int8", check_with(0, 0)}};
  catalogue_.models[0].files[0].sha256[0] = 'b';
  EXPECT_EQ(chosen().precision, Precision::kBF16);
  catalogue_.models[0].files[0].sha256[0] = 'a';
  EXPECT_EQ(chosen().precision, Precision::kInt8);
  std::ofstream(folder_ / "model.bin") << "1234";  // Not the whole file.
  EXPECT_EQ(chosen().precision, Precision::kBF16);
  EXPECT_EQ(automatic_precision(folder_ / "nowhere", catalogue_).precision, Precision::kBF16);
}

TEST_F(AutomaticPrecisionTest, OfTheCatalogueRestsOnTenThousandWordsAndAPointAtMost) {
  int64_t checked = 0;
  for (const io::CatalogueModel& model : io::builtin_catalogue().models) {
    for (const io::CatalogueCheck& stored : model.checks) {
      const auto check = accuracy_check_from_json(stored.accuracy_check);
      ASSERT_TRUE(check) << model.name << ": " << check.error().message();
      ASSERT_TRUE(parse_precision(stored.precision)) << stored.precision;
      EXPECT_GE(check->words, 10'000) << model.name;
      EXPECT_LE(check->max_drop, 1) << model.name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace quintet
