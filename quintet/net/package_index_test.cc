#include "quintet/net/package_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/http_server.h"

namespace quintet::net {
namespace {

using quintet::testing::HttpServer;
using quintet::testing::ScopedEnv;
using quintet::testing::TemporaryFolder;
using ::testing::HasSubstr;

const std::string kHash(64, 'a');

TEST(PackageIndex, HtmlLinksAreReadWithTheirHashes) {
  const std::string page =
      "<!DOCTYPE html><html><head><meta name=\"x\"></head><body>\n"
      "<!-- <a href=\"hidden-1.0.whl\">hidden</a> -->\n"
      "<a href=\"../../files/a-1.0.whl#sha256=" +
      kHash +
      "\" data-requires-python=\"&gt;=3\">a</a>"
      "<A  HREF = '/b%2B1.whl?x=1&amp;y=2' rel=internal>b</A>"
      "<a href=c.whl#md5=123>c</a>"
      "<a name=\"no link\">d</a><a href=\"ftp://host/e.whl\">e</a>";
  const auto files = parse_index_html(page, "http://host/simple/name/");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].name, "a-1.0.whl");
  EXPECT_EQ((*files)[0].url, "http://host/files/a-1.0.whl");
  EXPECT_EQ((*files)[0].sha256, kHash);
  EXPECT_EQ((*files)[1].name, "b+1.whl");
  EXPECT_EQ((*files)[1].url, "http://host/b%2B1.whl?x=1&y=2");
  EXPECT_EQ((*files)[1].sha256, "");
  EXPECT_EQ((*files)[2].url, "http://host/simple/name/c.whl");
}

TEST(PackageIndex, BaseTagMovesTheLinks) {
  const auto files =
      parse_index_html("<base href=\"/elsewhere/\"><a href=\"a.whl\">a</a>", "http://host/x/");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ((*files)[0].url, "http://host/elsewhere/a.whl");
}

TEST(PackageIndex, JsonFilesAreReadWithTheirHashes) {
  const std::string page = R"({"meta": {"api-version": "1.0"}, "name": "n", "files": [
      {"filename": "a.whl", "url": "../a.whl", "hashes": {"sha256": ")" +
                           kHash + R"("}},
      {"filename": "b.whl", "url": "https://other/b.whl", "hashes": {"md5": "1"}},
      {"filename": "c.whl"}, {"filename": 7, "url": "x"}, "text",
      {"filename": "d.whl", "url": "http://host/down.whl", "hashes": {}}]})";
  const auto files = parse_index_json(page, "https://host/simple/n/");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ((*files)[0].url, "https://host/simple/a.whl");
  EXPECT_EQ((*files)[0].sha256, kHash);
  EXPECT_EQ((*files)[1].name, "b.whl");
}

TEST(PackageIndex, PagesOfAnotherKindAreErrors) {
  EXPECT_EQ(parse_index_json("{\"files\": 3}", "http://h/").error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_index_json("[]", "http://h/").error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_index_json("{", "http://h/").error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_index_html("plain text", "http://h/").error().code(), Code::kCorrupt);
}

TEST(PackageIndex, ProjectNamesAreNormalized) {
  EXPECT_EQ(normalized_project("Foo_Bar.-baz"), "foo-bar-baz");
}

class Fetching : public ::testing::Test {
 protected:
  Fetching() : server_(folder_.path()) {
    folder_.write("files/a_b-1.0-py3-none-any.whl", "the wheel");
    options_.first_backoff = std::chrono::milliseconds(5);
  }
  Result<DownloadReport> fetch(const IndexConfig& config) {
    return fetch_package_file(wanted_, target_ / "x.part", config, options_);
  }
  IndexConfig index() {
    IndexConfig config;
    config.index_url = server_.url("simple/");
    return config;
  }
  // A program of that name on a PATH of its own.
  void install_program(const std::string& name, const std::string& script) {
    programs_.write(name, "#!/bin/sh\n" + script);
    ASSERT_EQ(::chmod((programs_ / name).c_str(), 0755), 0);
  }

  const PackageFile wanted_{
      .project = "A.b", .version = "1.0", .file = "a_b-1.0-py3-none-any.whl", .bytes = 9};
  HttpOptions options_;
  TemporaryFolder folder_, target_, programs_;
  HttpServer server_;
};

TEST_F(Fetching, TheConfiguredIndexIsAskedInHtml) {
  folder_.write("simple/a-b/index.html",
                "<a href=\"../../files/a_b-1.0-py3-none-any.whl\">wheel</a>");
  const auto report = fetch(index());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(target_.read("x.part"), "the wheel");
}

TEST_F(Fetching, TheConfiguredIndexIsAskedInJson) {
  folder_.write("simple/a-b/index.json",
                R"({"files": [{"filename": "a_b-1.0-py3-none-any.whl",
                               "url": "/files/a_b-1.0-py3-none-any.whl"}]})");
  target_.write("x.part", "the ");
  const auto report = fetch(index());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->resumed_bytes, 4u);
  EXPECT_EQ(target_.read("x.part"), "the wheel");
}

TEST_F(Fetching, MissingProjectAndMissingFileAreToldApart) {
  const auto no_project = fetch(index());
  ASSERT_FALSE(no_project);
  EXPECT_THAT(no_project.error().message(), HasSubstr("404"));
  folder_.write("simple/a-b/index.html", "<a href=\"a_b-2.0-py3-none-any.whl\">wheel</a>");
  const auto no_file = fetch(index());
  ASSERT_FALSE(no_file);
  EXPECT_EQ(no_file.error().code(), Code::kNotFound);
  EXPECT_THAT(no_file.error().message(),
              HasSubstr("a_b-1.0-py3-none-any.whl: not among the 1 files of http://"));
}

TEST_F(Fetching, LocalFoldersGoFirst) {
  IndexConfig config;
  config.find_links = {folder_ / "simple", folder_ / "files"};
  ASSERT_TRUE(fetch(config));
  EXPECT_EQ(target_.read("x.part"), "the wheel");
}

TEST_F(Fetching, WithoutAnIndexPipIsAskedOutsideOfTheUsersFolder) {
  install_program("python3", R"sh(
    for word in "$@"; do case "$word" in --dest=*) dest="${word#--dest=}";; esac; done
    [ "$(pwd)" = "$dest" ] && [ "$TMPDIR" = "$dest" ] || exit 9
    for last in "$@"; do :; done
    printf '%s' "$1 $2 $3 $last" > "$dest/a_b-1.0-py3-none-any.whl")sh");
  const ScopedEnv path("PATH", programs_.path().string() + ":/usr/bin:/bin");
  const auto report = fetch({});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(target_.read("x.part"), "-m pip download A.b==1.0");
  EXPECT_FALSE(std::filesystem::exists(target_ / "x.part.pip"));
}

TEST_F(Fetching, PipsOwnReasonIsPassedOn) {
  install_program("python3",
                  "echo Looking; echo 'ERROR: No matching distribution found' >&2; exit 1");
  const ScopedEnv path("PATH", programs_.path().string() + ":/usr/bin:/bin");
  const auto report = fetch({});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message(),
            "A.b==1.0: pip failed: ERROR: No matching distribution found");
}

TEST_F(Fetching, PythonWithoutPipGivesWayToPip3) {
  install_program("python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
  install_program("pip3", R"sh(
    for word in "$@"; do case "$word" in --dest=*) dest="${word#--dest=}";; esac; done
    printf 'the wheel' > "$dest/a_b-1.0-py3-none-any.whl")sh");
  const ScopedEnv path("PATH", programs_.path().string());
  const auto report = fetch({});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(target_.read("x.part"), "the wheel");
}

TEST_F(Fetching, WithoutIndexAndPipTheErrorSaysWhatToDo) {
  const ScopedEnv path("PATH", programs_.path().string());
  const auto report = fetch({});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kUnavailable);
  EXPECT_THAT(report.error().message(), HasSubstr("set QUINTET_INDEX_URL"));
  EXPECT_THAT(report.error().message(), HasSubstr("install python3-pip"));
}

TEST_F(Fetching, PipCanBeStopped) {
  install_program("python3", "exec sleep 30");
  const ScopedEnv path("PATH", programs_.path().string() + ":/usr/bin:/bin");
  int calls = 0;
  options_.progress = [&](uint64_t, uint64_t) { return ++calls < 2; };
  const auto report = fetch({});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kCancelled);
}

}  // namespace
}  // namespace quintet::net
