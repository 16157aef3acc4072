#include "quintet/core/env.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace quintet {
namespace {

constexpr const char* kName = "QUINTET_ENV_TEST";

TEST(Env, GivesTheValueOfASetVariable) {
  ::setenv(kName, "a value", 1);
  EXPECT_EQ(env(kName), "a value");
  ::unsetenv(kName);
}

TEST(Env, TreatsUnsetAndEmptyAlike) {
  ::unsetenv(kName);
  EXPECT_EQ(env(kName), std::nullopt);
  ::setenv(kName, "", 1);
  EXPECT_EQ(env(kName), std::nullopt);
  ::unsetenv(kName);
}

}  // namespace
}  // namespace quintet
