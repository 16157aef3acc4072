#include "quintet/io/catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quintet::io {
namespace {

using ::testing::HasSubstr;

// A catalogue with one text replaced by another.
Result<Catalogue> parse_with(const std::string& from, const std::string& to) {
  const std::string hash(64, '0');
  std::string text = R"({"models": [{"name": "m", "description": "d", "licence": "MIT", "task": "t",
      "packages": [{"project": "p", "version": "1", "file": "p.whl", "bytes": 5, "sha256": ")" +
                     hash + R"("}],
      "files": [{"name": "f", "bytes": 9, "sha256": ")" +
                     hash + R"(", "parts": [{"package": 0, "member": "a/b"}]}]}]})";
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return parse_catalogue(text.replace(at, from.size(), to));
}

TEST(Catalogue, BuiltInOneIsValidAndKnowsWhisper) {
  const CatalogueModel* whisper = builtin_catalogue().find("whisper-base");
  ASSERT_NE(whisper, nullptr);
  EXPECT_EQ(whisper->installed_bytes(), 147884004u);
  EXPECT_EQ(whisper->download_bytes(), 133343666u);
  EXPECT_EQ(builtin_catalogue().find("no-such-model"), nullptr);
}

TEST(Catalogue, LanguageModelsLieInTheOnlyGgufOfTheirFolder) {
  const CatalogueModel* model = builtin_catalogue().find("smollm2-135m");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->task, "generate");
  EXPECT_EQ(model->download_bytes(), 92871040u);
  EXPECT_EQ(std::ranges::count_if(model->files,
                                  [](const CatalogueFile& f) { return f.name.ends_with(".gguf"); }),
            1);
}

TEST(Catalogue, SinglePartHasTheSizeOfItsFile) {
  const auto catalogue = parse_with("MIT", "MIT");
  ASSERT_TRUE(catalogue) << catalogue.error().message();
  EXPECT_EQ(catalogue->models[0].files[0].parts[0].bytes, 9u);
}

TEST(Catalogue, ChecksKeepTheirOrderAndTheirText) {
  const auto catalogue = parse_with(
      "\"task\": \"t\"", R"("task": "t", "checks": [{"precision": "b", "accuracy_check": {"x": 1}},
                                               {"precision": "a", "accuracy_check": {}}])");
  ASSERT_TRUE(catalogue) << catalogue.error().message();
  const auto& checks = catalogue->models[0].checks;
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].precision, "b");
  EXPECT_EQ(checks[0].accuracy_check, R"({"x":1})");
  EXPECT_EQ(checks[1].precision, "a");
}

TEST(Catalogue, DangerousOrContradictoryEntriesAreRefused) {
  const std::pair<const char*, const char*> changes[] = {
      {"\"m\"", "\"../m\""},
      {"\"m\"", "\".m\""},
      {"p.whl", "a/p.whl"},
      {"\"f\"", "\"..\""},
      {"a/b", "../b"},
      {"\"package\": 0", "\"package\": 1"},
      {"\"package\": 0", "\"package\": -1"},
      {"\"sha256\": \"0", "\"sha256\": \"A"},
      {"\"member\": \"a/b\"", "\"member\": \"a/b\", \"bytes\": 8"},
      {"\"bytes\": 9", "\"bytes\": 18446744073709551615"},
      {"\"version\": \"1\"", "\"version\": 1"},
      {"\"licence\": \"MIT\", ", ""},
      {"[{\"package\": 0, \"member\": \"a/b\"}]", "[]"},
      {"\"task\": \"t\"", "\"task\": \"t\", \"checks\": []"},
      {"\"task\": \"t\"", "\"task\": \"t\", \"checks\": [{\"precision\": \"int8\"}]"},
      {"\"task\": \"t\"", "\"task\": \"t\", \"checks\": [{\"accuracy_check\": {}}]"}};
  for (const auto& [from, to] : changes) {
    const auto catalogue = parse_with(from, to);
    ASSERT_FALSE(catalogue) << to;
    EXPECT_EQ(catalogue.error().code(), Code::kCorrupt);
    EXPECT_THAT(catalogue.error().message(), HasSubstr("catalogue"));
  }
}

TEST(Catalogue, TextThatIsNoCatalogueIsRefused) {
  for (const char* text : {"", "{", "[]", "3", "{\"models\": {}}", "{\"models\": [3]}"}) {
    EXPECT_FALSE(parse_catalogue(text)) << text;
  }
}

}  // namespace
}  // namespace quintet::io
