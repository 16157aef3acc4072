#include "quintet/core/cpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

namespace quintet {
namespace {

class ActiveIsa : public testing::Test {
 protected:
  void TearDown() override { set_active_isa(before_); }
  const Isa before_ = active_isa();
};

TEST(Cpu, SupportsTheBaseAndListsLevelsRising) {
  const std::vector<Isa> isas = supported_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), Isa::kBase);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
  for (const Isa isa : kAllIsas) {
    EXPECT_EQ(cpu_supports(isa), std::count(isas.begin(), isas.end(), isa) == 1) << isa_name(isa);
  }
}

TEST(Cpu, ALevelBringsTheLevelsThatItContains) {
  if (cpu_supports(Isa::kAvx512Bf16)) {
    EXPECT_TRUE(cpu_supports(Isa::kAvx512));
  }
  if (cpu_supports(Isa::kAvx512)) {
    EXPECT_TRUE(cpu_supports(Isa::kAvx2));
  }
  if (cpu_supports(Isa::kAvxVnni)) {
    EXPECT_TRUE(cpu_supports(Isa::kAvx2));
  }
}

TEST(Cpu, LevelsHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Isa isa : kAllIsas) names.insert(isa_name(isa));
  EXPECT_EQ(names.size(), kAllIsas.size());
  EXPECT_EQ(names.count("?"), 0u);
}

TEST_F(ActiveIsa, IsWhatWasSet) {
  for (const Isa isa : supported_isas()) {
    set_active_isa(isa);
    EXPECT_EQ(active_isa(), isa);
  }
}

TEST(Cpu, CachesHaveAPlausibleSizeAndGrowWithTheLevel) {
  EXPECT_GE(cache_bytes(2), 64 << 10);
  EXPECT_LE(cache_bytes(2), cache_bytes(3));
  EXPECT_LE(cache_bytes(3), int64_t{4} << 30);
}

// active_isa() decides once in a process: the variable's effect shows in a process of its own,
// which the thread-safe style of death tests starts.
class ForcedIsaDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
  void TearDown() override { ::unsetenv("QUINTET_FORCE_ISA"); }
};

TEST_F(ForcedIsaDeathTest, EverySupportedLevelIsTaken) {
  for (const Isa isa : supported_isas()) {
    ::setenv("QUINTET_FORCE_ISA", std::string(isa_name(isa)).c_str(), 1);
    EXPECT_EXIT(std::exit(active_isa() == isa ? 0 : 1), testing::ExitedWithCode(0), "")
        << isa_name(isa);
  }
}

TEST_F(ForcedIsaDeathTest, AnUnknownLevelEndsTheProgramAndNamesTheKnown) {
  ::setenv("QUINTET_FORCE_ISA", "avx9", 1);
  EXPECT_EXIT(active_isa(), testing::ExitedWithCode(2),
              "QUINTET_FORCE_ISA=avx9: this processor supports base");
}

}  // namespace
}  // namespace quintet
