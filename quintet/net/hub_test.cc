#include "quintet/net/hub.h"

#include <gtest/gtest.h>

#include "tests/support/http_server.h"

namespace quintet::net {
namespace {

using quintet::testing::ScopedEnv;

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

TEST(Hub, OnlyUsableFilesOfTheTopFolderAreTaken) {
  const std::vector<HubFile> all = {{.name = "config.json"},       {.name = "README.md"},
                                    {.name = "pytorch_model.bin"}, {.name = "model.safetensors"},
                                    {.name = "onnx/config.json"},  {.name = "../config.json"},
                                    {.name = ".safetensors"},      {.name = "a\\b.safetensors"}};
  const auto usable = usable_hub_files(all);
  ASSERT_EQ(usable.size(), 2u);
  EXPECT_EQ(usable[0].name, "config.json");
  EXPECT_EQ(usable[1].name, "model.safetensors");
}

TEST(Hub, RepositoriesHaveAnOwnerAndAName) {
  EXPECT_TRUE(is_hub_repository("owner/Name-1.0_x"));
  for (const char* wrong :
       {"", "/", "owner", "owner/", "/name", "a/b/c", "../x", "a/..", "a b/c"}) {
    EXPECT_FALSE(is_hub_repository(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace quintet::net
