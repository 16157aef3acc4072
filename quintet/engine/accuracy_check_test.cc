#include "quintet/engine/accuracy_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quintet {
namespace {

using ::testing::HasSubstr;

AccuracyCheck some_check() {
  return {.data = "calls.jsonl",
          .date = "2026-11-25",
          .items = 3,
          .words = 400,
          .original = {5, 4, 6},
          .compressed = {5.25, 4.5, 6.5},
          .difference = {0.25, -0.5, 1.5},
          .agreement = 98.5,
          .max_drop = 1,
          .threshold_db = 27.5};
}

TEST(AccuracyCheck, ComesBackFromItsText) {
  AccuracyCheck check = some_check();
  const auto again = accuracy_check_from_json(accuracy_check_to_json(check));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, check);
  check.threshold_db.reset();
  EXPECT_EQ(accuracy_check_from_json(accuracy_check_to_json(check)).value(), check);
}

TEST(AccuracyCheck, PassesWhereNoMoreIsLostThanMayBe) {
  AccuracyCheck check = some_check();
  EXPECT_TRUE(check.passed());
  check.difference.value = 1.01;
  EXPECT_FALSE(check.passed());
}

TEST(AccuracyCheck, TextWithoutAFieldOrWithAnotherTypeIsRefusedByName) {
  const auto good = nlohmann::json::parse(accuracy_check_to_json(some_check()));
  const auto error_of = [](const std::string& text) {
    const auto check = accuracy_check_from_json(text);
    EXPECT_FALSE(check) << text;
    return check ? "" : check.error().message();
  };
  for (const char* text : {"", "{", "[]", "null", "3"}) {
    EXPECT_THAT(error_of(text), HasSubstr("accuracy_check"));
  }
  for (const auto& [key, value] : good.items()) {
    auto changed = good;
    changed[key] = nlohmann::json::array();
    EXPECT_THAT(error_of(changed.dump()), HasSubstr(key));
    changed.erase(key);
    if (key == "threshold_db") continue;  // May be missing.
    EXPECT_THAT(error_of(changed.dump()), HasSubstr(key));
  }
  for (const nlohmann::json& interval :
       {nlohmann::json(3), nlohmann::json{1}, nlohmann::json{1, "2"}, nlohmann::json{1, 2, 3}}) {
    auto changed = good;
    changed["difference"]["interval"] = interval;
    EXPECT_THAT(error_of(changed.dump()), HasSubstr("difference"));
  }
}

}  // namespace
}  // namespace quintet
