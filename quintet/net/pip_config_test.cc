#include "quintet/net/pip_config.h"

#include <gtest/gtest.h>

#include "quintet/net/package_index.h"
#include "tests/support/http_server.h"

namespace quintet::net {
namespace {

using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;

TEST(PipConfig, SectionsKeysAndCommentsAreReadAsPipDoes) {
  const auto settings = parse_pip_config(
      "; a comment\r\n"
      "stray = outside of every section\n"
      "[global]\n"
      "Index_URL = https://one/simple  \r\n"
      "timeout: 60\n"
      "# another\n"
      "[install]\n"
      "find-links =\n"
      "    /a\n"
      "    # not part of the value\n"
      "    /b\n"
      "no value\n"
      "[global]\n"
      "index-url=https://two/simple\n");
  const std::map<std::string, std::string> expected = {{"global.index-url", "https://two/simple"},
                                                       {"global.timeout", "60"},
                                                       {"install.find-links", "\n/a\n/b"}};
  EXPECT_EQ(settings, expected);
}

TEST(PipConfig, BrokenTextGivesNothing) {
  EXPECT_TRUE(parse_pip_config("").empty());
  EXPECT_TRUE(parse_pip_config("[").empty());
  EXPECT_TRUE(parse_pip_config("[]\n=\n").empty());
  EXPECT_TRUE(parse_pip_config("  indented = first\n").empty());
}

class IndexSettings : public ::testing::Test {
 protected:
  IndexSettings() { folder_.write("wheels/x.whl", ""); }
  const TemporaryFolder folder_;
  const ScopedEnv home_{"HOME", folder_.path().string()};
  const ScopedEnv config_home_{"XDG_CONFIG_HOME", std::nullopt};
  const ScopedEnv venv_{"VIRTUAL_ENV", std::nullopt};
  const ScopedEnv file_{"PIP_CONFIG_FILE", std::nullopt};
  const ScopedEnv url_{"PIP_INDEX_URL", std::nullopt};
  const ScopedEnv links_{"PIP_FIND_LINKS", std::nullopt};
  const ScopedEnv cert_{"PIP_CERT", std::nullopt};
  const ScopedEnv ours_{"QUINTET_INDEX_URL", std::nullopt};
};

TEST_F(IndexSettings, LaterFilesAndSectionsAndTheEnvironmentTakePrecedence) {
  folder_.write(".pip/pip.conf", "[global]\nindex-url = https://legacy/\ncert = /legacy.pem\n");
  EXPECT_EQ(read_index_config().index_url, "https://legacy/");
  EXPECT_EQ(read_index_config().ca_bundle, "/legacy.pem");
  folder_.write(".config/pip/pip.conf", "[global]\nindex-url = https://user/\n");
  EXPECT_EQ(read_index_config().index_url, "https://user/");
  EXPECT_EQ(read_index_config().ca_bundle, "/legacy.pem");
  folder_.write("venv/pip.conf", "[global]\nindex-url = https://venv/\n");
  const ScopedEnv venv("VIRTUAL_ENV", (folder_ / "venv").string());
  EXPECT_EQ(read_index_config().index_url, "https://venv/");
  folder_.write(".pip/pip.conf", "[install]\nindex-url = https://install/\n");
  EXPECT_EQ(read_index_config().index_url, "https://install/");
  const ScopedEnv url("PIP_INDEX_URL", "https://variable/");
  EXPECT_EQ(read_index_config().index_url, "https://variable/");
  const ScopedEnv ours("QUINTET_INDEX_URL", "https://ours/");
  EXPECT_EQ(read_index_config().index_url, "https://ours/");
}

TEST_F(IndexSettings, ChosenFileReplacesTheUsersFiles) {
  folder_.write(".config/pip/pip.conf", "[global]\nindex-url = https://user/\ncert = /user.pem\n");
  folder_.write("chosen.conf", "[global]\nindex-url = https://chosen/\n");
  const ScopedEnv chosen("PIP_CONFIG_FILE", (folder_ / "chosen.conf").string());
  EXPECT_EQ(read_index_config().index_url, "https://chosen/");
  EXPECT_NE(read_index_config().ca_bundle, "/user.pem");
  const ScopedEnv none("PIP_CONFIG_FILE", "/dev/null");
  EXPECT_EQ(read_index_config().index_url, std::nullopt);
}

TEST_F(IndexSettings, OnlyFoldersThatExistAreSearchedForWheels) {
  const ScopedEnv none("PIP_CONFIG_FILE", "/dev/null");
  const std::string wheels = (folder_ / "wheels").string();
  const ScopedEnv links("PIP_FIND_LINKS", "https://page/ /nonexistent file://" + wheels);
  EXPECT_EQ(read_index_config().find_links, std::vector<std::filesystem::path>{wheels});
}

}  // namespace
}  // namespace quintet::net
