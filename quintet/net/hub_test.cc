#include "quintet/net/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/http_server.h"

namespace quintet::net {
namespace {

using quintet::testing::HttpServer;
using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<HubFile> files_of(const std::vector<std::string>& names) {
  std::vector<HubFile> files;
  for (const std::string& name : names) files.push_back({.name = name});
  return files;
}

Result<std::string> no_index() { return Error(Code::kInternal, "nobody asked for an index"); }

// The names that are chosen, or the error.
std::vector<std::string> chosen(const std::vector<std::string>& names,
                                const std::string& asked = "",
                                const std::function<Result<std::string>()>& index = no_index) {
  const auto files = choose_hub_files(files_of(names), {"owner/name", asked}, index);
  if (!files) return {files.error().message()};
  std::vector<std::string> found;
  for (const HubFile& file : *files) found.push_back(file.name);
  return found;
}

TEST(Hub, AddressComesFromTheEnvironmentOrNowhere) {
  const ScopedEnv ours("QUINTET_HUB_URL", std::nullopt);
  const ScopedEnv theirs("HF_ENDPOINT", std::nullopt);
  const auto none = hub_address();
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("QUINTET_HUB_URL"), std::string::npos);
  const ScopedEnv mirror("HF_ENDPOINT", "http://mirror/");
  EXPECT_EQ(*hub_address(), "http://mirror");
  const ScopedEnv first("QUINTET_HUB_URL", "http://first");
  EXPECT_EQ(*hub_address(), "http://first");
}

TEST(Hub, ListingGivesNamesSizesAndHashes) {
  const std::string hash(64, 'b');
  const auto files = parse_hub_listing(R"({"siblings": [
      {"rfilename": "config.json", "size": 12},
      {"rfilename": "model.safetensors", "lfs": {"sha256": ")" +
                                       hash + R"(", "size": 99}},
      {"rfilename": 3}, [], {"rfilename": "x.safetensors", "lfs": {"sha256": "short"}}]})");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].bytes, 12u);
  EXPECT_EQ((*files)[1].sha256, hash);
  EXPECT_EQ((*files)[1].bytes, 99u);
  EXPECT_EQ((*files)[2].sha256, "");
  EXPECT_FALSE(parse_hub_listing("{\"siblings\": {}}"));
  EXPECT_FALSE(parse_hub_listing("not json"));
}

TEST(Hub, SettingsAndWeightsOfTheTopFolderAreTaken) {
  EXPECT_THAT(chosen({"model.safetensors", "README.md", "pytorch_model.bin", "config.json",
                      "onnx/config.json", "consolidated.safetensors", "../tokenizer.json",
                      "chat_template.jinja", "generation_config.json", "tokenizer.json",
                      "tokenizer_config.json", "x.gguf"}),
              ElementsAre("config.json", "generation_config.json", "tokenizer.json",
                          "tokenizer_config.json", "chat_template.jinja", "model.safetensors"));
}

TEST(Hub, ShardsAreThoseThatTheIndexNames) {
  const std::vector<std::string> listing = {"config.json", "a.safetensors", "b.safetensors",
                                            "other.safetensors", "model.safetensors.index.json"};
  const auto index = [](const std::string& json) {
    return [json]() -> Result<std::string> { return json; };
  };
  EXPECT_THAT(
      chosen(listing, "", index(R"({"weight_map": {"x": "b.safetensors",
                                          "y": "a.safetensors", "z": "b.safetensors"}})")),
      ElementsAre("config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors"));
  EXPECT_THAT(
      chosen(listing, "", index(R"({"weight_map": {"x": "c.safetensors"}})")),
      ElementsAre(HasSubstr("names \"c.safetensors\", which the repository does not have")));
  for (const char* wrong : {"", "[]", "{}", R"({"weight_map": {}})", R"({"weight_map": [1]})",
                            R"({"weight_map": {"x": 1}})", R"({"weight_map": {"x": "../x"}})"}) {
    EXPECT_THAT(chosen(listing, "", index(wrong)), ElementsAre(HasSubstr("index.json: "))) << wrong;
  }
}

TEST(Hub, TheOnlyGgufFileIsTakenByItself) {
  EXPECT_THAT(chosen({"README.md", "config.json", "m-Q4_0.gguf", "mmproj-F16.gguf"}),
              ElementsAre("m-Q4_0.gguf"));
}

TEST(Hub, OneOfSeveralGgufFilesHasToBeNamed) {
  const std::vector<std::string> listing = {"M-Q4_0.gguf", "M-Q4_0_4_4.gguf", "M-iQ4_0.gguf",
                                            "big/M.Q8_0.gguf", "mmproj-F16.gguf"};
  EXPECT_THAT(chosen(listing),
              ElementsAre("has several files that could be meant: ask for hf:owner/name:FILE, FILE "
                          "being one of M-Q4_0.gguf, M-Q4_0_4_4.gguf, M-iQ4_0.gguf, "
                          "big/M.Q8_0.gguf"));
  EXPECT_THAT(chosen(listing, "M-iQ4_0.gguf"), ElementsAre("M-iQ4_0.gguf"));
  EXPECT_THAT(chosen(listing, "q4_0"), ElementsAre("M-Q4_0.gguf"));
  EXPECT_THAT(chosen(listing, "Q8_0"), ElementsAre("big/M.Q8_0.gguf"));
  EXPECT_THAT(chosen(listing, "big/M.Q8_0.gguf"), ElementsAre("big/M.Q8_0.gguf"));
  EXPECT_THAT(chosen(listing, "mmproj-F16.gguf"), ElementsAre("mmproj-F16.gguf"));
  EXPECT_THAT(chosen(listing, "Q2_K"),
              ElementsAre(HasSubstr("has no file \"Q2_K\"; there are M-Q4_0.gguf, ")));
  const std::vector<std::string> many(20, "x.gguf");
  EXPECT_THAT(chosen(many), ElementsAre(HasSubstr("x.gguf and 8 more")));
}

TEST(Hub, AGgufFileComesWithAllItsParts) {
  std::vector<std::string> listing = {"m-Q8_0-00002-of-00003.gguf", "m-Q8_0-00001-of-00003.gguf",
                                      "m-Q8_0-00003-of-00003.gguf"};
  EXPECT_THAT(chosen(listing),
              ElementsAre("m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00002-of-00003.gguf",
                          "m-Q8_0-00003-of-00003.gguf"));
  EXPECT_EQ(chosen(listing, "Q8_0").size(), 3u);
  listing.pop_back();
  EXPECT_THAT(chosen(listing), ElementsAre(HasSubstr("part 3 of 3 is missing")));
}

TEST(Hub, ARepositoryWithoutWeightsSaysWhatCanBeUsed) {
  EXPECT_THAT(chosen({"config.json", "pytorch_model.bin"}),
              ElementsAre(HasSubstr("neither model.safetensors, nor")));
  EXPECT_THAT(chosen({".gguf", "a b.gguf", "../x.gguf", "a//x.gguf"}),
              ElementsAre(HasSubstr("no weights")));
}

TEST(Hub, RepositoriesHaveAnOwnerAndANameAndPerhapsAFile) {
  EXPECT_EQ(parse_hub_model("owner/Name-1.0_x")->repository, "owner/Name-1.0_x");
  const auto with_file = parse_hub_model("owner/name:folder/x.gguf");
  ASSERT_TRUE(with_file);
  EXPECT_EQ(with_file->repository, "owner/name");
  EXPECT_EQ(with_file->file, "folder/x.gguf");
  for (const char* wrong : {"", "/", "owner", "owner/", "/name", "a/b/c", "../x", "a/..", "a b/c",
                            "a/b:", "a/b:../x", "a/b:/x", "a/b:x/", "a/b:c:d", ":", "a/b:\n"}) {
    const auto parsed = parse_hub_model(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_THAT(parsed.error().message(), HasSubstr("expected hf:OWNER/REPO, or"));
    EXPECT_THAT(parsed.error().message(), Not(HasSubstr("\n")));
  }
}

TEST(HubToken, GoesOnlyWhereNobodyCanReadIt) {
  const ScopedEnv token("HF_TOKEN", "hf_right\n");
  for (const char* hub : {"https://hub", "http://127.0.0.1:80", "http://localhost"}) {
    const auto options = hub_http_options(hub);
    ASSERT_TRUE(options);
    EXPECT_THAT(options->headers, ElementsAre(std::pair<std::string, std::string>(
                                      "Authorization", "Bearer hf_right")))
        << hub;
  }
  for (const char* hub : {"http://hub", "http://127.0.0.1.hub", "http://localhost:1@hub"}) {
    const auto options = hub_http_options(hub);
    ASSERT_TRUE(options);
    EXPECT_THAT(options->headers, IsEmpty()) << hub;
    EXPECT_THAT(options->if_denied, HasSubstr("not https"));
  }
}

TEST(HubToken, WithOtherCharactersThanATokenHasIsRefusedAndNotShown) {
  const ScopedEnv token("HF_TOKEN", "secret\r\nX-Other: 1");
  const auto options = hub_http_options("https://hub");
  ASSERT_FALSE(options);
  EXPECT_THAT(options.error().message(), HasSubstr("HF_TOKEN: "));
  EXPECT_THAT(options.error().message(), Not(HasSubstr("secret")));
}

TEST(HubToken, IsNotHandedOnByRedirects) {
  const TemporaryFolder folder, target;
  folder.write("model.safetensors", "weights");
  const ScopedEnv no_proxy("no_proxy", "127.0.0.1,localhost");
  const ScopedEnv token("HF_TOKEN", "hf_right");
  const HttpServer hub(folder.path()), other(folder.path());
  const auto options = hub_http_options(hub.base());
  ASSERT_TRUE(options);
  const auto port = [](const HttpServer& server) {
    return server.base().substr(server.base().rfind(':') + 1);
  };
  const std::string here = hub.base();
  const std::string same_port = "http://localhost:" + port(hub);
  // Another port, another name of the same machine, and back again by way of it.
  for (const std::string& elsewhere : {other.base(), same_port}) {
    const auto got = http_get(here + "/to?" + elsewhere + "/model.safetensors", *options);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->body, "weights");
  }
  const auto got =
      http_download(here + "/lfs/" + port(other) + "/model.safetensors", target / "part", *options);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(http_get(other.url("tokens"))->body, "");
  EXPECT_EQ(http_get(hub.url("tokens"))->body,
            "/to\n/to\n/lfs/" + port(other) + "/model.safetensors");
}

TEST(HubToken, ADeniedModelSaysWhatToDo) {
  const TemporaryFolder folder;
  folder.write("api/models/o/n", "{}");
  const ScopedEnv no_proxy("no_proxy", "127.0.0.1");
  const HttpServer server(folder.path());
  const std::string hub = server.url("gated");
  const auto message = [&](const std::optional<std::string>& token) {
    const ScopedEnv set("HF_TOKEN", token);
    const auto options = hub_http_options(hub);
    const auto files = list_hub_model(hub, {"o/n", ""}, *options);
    return files.error().message();
  };
  EXPECT_THAT(message(std::nullopt), HasSubstr("answered 401, access denied; a private or gated"));
  EXPECT_THAT(message("hf_wrong"),
              HasSubstr("answered 403, access denied; the account of HF_TOKEN"));
  EXPECT_THAT(message("hf_wrong"), Not(HasSubstr("hf_wrong")));
  EXPECT_THAT(message("hf_right"), HasSubstr("no list \"siblings\""));
}

}  // namespace
}  // namespace quintet::net
