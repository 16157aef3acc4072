// `quintet pull` and `quintet models` as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/http_server.h"

namespace quintet::io {
namespace {

using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;
using ::testing::HasSubstr;

struct Outcome {
  int code = -1;
  std::string output;  // stdout and stderr.
};

Outcome quintet(const std::string& arguments) {
  Outcome run;
  FILE* pipe = ::popen((std::string(QUINTET_BINARY) + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  while (const size_t n = ::fread(buffer, 1, sizeof buffer, pipe)) run.output.append(buffer, n);
  run.code = WEXITSTATUS(::pclose(pipe));
  return run;
}

class PullCommand : public ::testing::Test {
 protected:
  const TemporaryFolder home_;
  const ScopedEnv store_{"QUINTET_HOME", home_.path().string()};
  const ScopedEnv hub_{"QUINTET_HUB_URL", std::nullopt};
  const ScopedEnv endpoint_{"HF_ENDPOINT", std::nullopt};
};

TEST_F(PullCommand, WrongUsageIsOneLineAndExitCodeTwo) {
  for (const char* arguments : {"pull", "pull no-such-model", "pull hf:a/b", "pull x --no-such"}) {
    const Outcome run = quintet(arguments);
    EXPECT_EQ(run.code, 2) << arguments << ": " << run.output;
    EXPECT_THAT(run.output, ::testing::StartsWith("quintet: "));
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
  }
}

TEST_F(PullCommand, UnreachableIndexIsExitCodeOne) {
  home_.write("files/unused", "");
  const quintet::testing::HttpServer server(home_.path());
  const ScopedEnv index("QUINTET_INDEX_URL", server.url("simple"));
  const ScopedEnv links("PIP_FIND_LINKS", std::nullopt);
  const ScopedEnv config("PIP_CONFIG_FILE", "/dev/null");
  const Outcome run = quintet("pull whisper-base");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.output, HasSubstr("the server answered 404"));
}

TEST_F(PullCommand, ModelsAreListedAsTableAndAsOneJsonObject) {
  const Outcome empty = quintet("models");
  EXPECT_EQ(empty.code, 0);
  EXPECT_THAT(empty.output, HasSubstr("download 133.3 MB"));
  home_.write("models/mine/weights", "12345");
  const Outcome run = quintet("models --json");
  EXPECT_EQ(run.code, 0);
  const auto object = nlohmann::json::parse(run.output, nullptr, false);
  ASSERT_TRUE(object.is_object()) << run.output;
  EXPECT_EQ(object["home"], home_.path().string());
  EXPECT_EQ(object["models"][0]["name"], "whisper-base");
  EXPECT_EQ(object["models"][0]["installed"], false);
  EXPECT_EQ(object["models"].back()["name"], "mine");
  EXPECT_EQ(object["models"].back()["bytes"], 5);
}

}  // namespace
}  // namespace quintet::io
