#include "quintet/io/catalogue/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/http_server.h"

namespace quintet::io {
namespace {

using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;
using ::testing::HasSubstr;

TEST(Store, HomeFollowsTheEnvironment) {
  const ScopedEnv home("HOME", "/h");
  const ScopedEnv cache("XDG_CACHE_HOME", "relative");  // By its specification to be ignored.
  const ScopedEnv ours("QUINTET_HOME", std::nullopt);
  EXPECT_EQ(store_home().value(), "/h/.cache/quintet");
  const ScopedEnv absolute("XDG_CACHE_HOME", "/c");
  EXPECT_EQ(store_home().value(), "/c/quintet");
  const ScopedEnv chosen("QUINTET_HOME", "/q");
  EXPECT_EQ(store_home().value(), "/q");
}

TEST(Store, HomelessProcessIsToldWhatToSet) {
  const ScopedEnv home("HOME", std::nullopt);
  const ScopedEnv cache("XDG_CACHE_HOME", std::nullopt);
  const ScopedEnv ours("QUINTET_HOME", std::nullopt);
  EXPECT_THAT(store_home().error().message(), HasSubstr("set QUINTET_HOME"));
  EXPECT_TRUE(installed_models().empty());
}

TEST(Store, PathsGoBeforeInstalledModels) {
  const TemporaryFolder home;
  const ScopedEnv ours("QUINTET_HOME", home.path().string());
  home.write("models/m/weights", "12345");
  home.write("models/.partial-n/weights", "1");
  home.write("models/a-file", "1");
  EXPECT_EQ(find_model("m").value(), home / "models" / "m");
  EXPECT_EQ(find_model((home / "models").string()).value(), home / "models");
  ASSERT_EQ(installed_models().size(), 1u);
  EXPECT_EQ(installed_models()[0].name, "m");
  EXPECT_EQ(installed_models()[0].source, "");
  EXPECT_EQ(installed_models()[0].bytes, 5u);
}

TEST(Store, ModelsOfAHubLieInFoldersOfTheirNames) {
  EXPECT_EQ(store_name("hf:a/b"), "a--b");
  EXPECT_EQ(store_name("hf:a/b:Q4_0"), "a--b--Q4_0");
  EXPECT_EQ(store_name("hf:a/b:folder/x.gguf"), "a--b--folder--x.gguf");
}

TEST(Store, MissingModelSaysHowToGetIt) {
  const TemporaryFolder home;
  const ScopedEnv ours("QUINTET_HOME", home.path().string());
  EXPECT_EQ(find_model("whisper-base").error().message(),
            "model \"whisper-base\" is neither a file nor an installed model; run `quintet pull "
            "whisper-base`");
  EXPECT_THAT(find_model("hf:a/b").error().message(), HasSubstr("run `quintet pull hf:a/b`"));
  EXPECT_THAT(find_model("x").error().message(), HasSubstr("`quintet pull` knows whisper-base"));
  for (const char* outside : {"", "../lock", ".partial-n", "hf:../x"}) {
    EXPECT_FALSE(find_model(outside)) << outside;
  }
}

}  // namespace
}  // namespace quintet::io
