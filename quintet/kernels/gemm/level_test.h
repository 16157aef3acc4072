// Tests that run once under every instruction set that the processor has.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "quintet/core/cpu.h"

namespace quintet::kernels {

// Forces a level for the lifetime of the object.
class ForcedLevel {
 public:
  explicit ForcedLevel(Isa isa) : before_(active_isa()) { set_active_isa(isa); }
  ~ForcedLevel() { set_active_isa(before_); }
  ForcedLevel(const ForcedLevel&) = delete;
  ForcedLevel& operator=(const ForcedLevel&) = delete;

 private:
  Isa before_;
};

// Base of suites parameterised by Isa. A level that the processor lacks counts as skipped.
class LevelTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!cpu_supports(GetParam())) {
      GTEST_SKIP() << "this processor lacks " << isa_name(GetParam());
    }
    level_.emplace(GetParam());
  }
  void TearDown() override { level_.reset(); }

 private:
  std::optional<ForcedLevel> level_;
};

inline std::string level_name(const testing::TestParamInfo<Isa>& level) {
  return std::string(isa_name(level.param));
}

}  // namespace quintet::kernels
