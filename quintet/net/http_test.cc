#include "quintet/net/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "quintet/net/url.h"
#include "tests/support/http_server.h"

namespace quintet::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string pattern(size_t bytes) {
  std::string content(bytes, '\0');
  uint32_t state = 12345;
  for (char& c : content) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return content;
}

HttpOptions impatient() {
  HttpOptions options;
  options.first_backoff = std::chrono::milliseconds(5);
  options.stall_timeout = std::chrono::seconds(1);
  options.connect_timeout = std::chrono::milliseconds(2000);
  return options;
}

class Http : public ::testing::Test {
 protected:
  Http() : content_(pattern(300000)), server_(root_.path()) {
    root_.write("file.bin", content_);
    root_.write("hello.txt", "hello");
  }
  Result<DownloadReport> download(const std::string& path, const HttpOptions& options) {
    return http_download(server_.url(path), target_ / "file.part", options);
  }
  std::string log() { return http_get(server_.url("log")).value().body; }

  const std::string content_;
  quintet::testing::TemporaryFolder root_, target_;
  quintet::testing::ScopedEnv no_proxy_{"no_proxy", "127.0.0.1"};
  quintet::testing::HttpServer server_;
};

TEST_F(Http, GetReturnsBodyTypeAndFinalUrl) {
  const auto response = http_get(server_.url("hop/2/hello.txt"));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(response->content_type, "application/octet-stream");
  EXPECT_EQ(response->url, server_.url("hop/0/hello.txt"));
}

TEST_F(Http, GetUndoesCompression) {
  const auto response = http_get(server_.url("gzip/file.bin"));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, content_);
}

TEST_F(Http, CompressedBodyIsLimitedByItsDecodedSize) {
  root_.write("zeros", std::string(5000000, '\0'));
  HttpOptions options;
  options.max_bytes = 100000;
  const auto response = http_get(server_.url("gzip/zeros"), options);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kExhausted);
}

TEST_F(Http, MissingFileIsNamedInOneLine) {
  const auto response = http_get(server_.url("folder/none.bin?token=secret"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kNotFound);
  EXPECT_EQ(response.error().message(), "none.bin (" + server_.url("folder/none.bin") +
                                            "): the server answered 404, not found");
}

TEST_F(Http, LongRedirectChainAndLoopEnd) {
  EXPECT_FALSE(http_get(server_.url("hop/6/hello.txt")));
  const auto loop = http_get(server_.url("loop"));
  ASSERT_FALSE(loop);
  EXPECT_THAT(loop.error().message(), HasSubstr("redirects"));
}

TEST_F(Http, RedirectToAnotherSchemeIsRefused) {
  root_.write("secret", "local");
  EXPECT_FALSE(http_get(server_.url("to?file://" + (root_ / "secret").string())));
  EXPECT_FALSE(http_get("file://" + (root_ / "secret").string()));
}

TEST_F(Http, EndlessBodyIsCutOffAtTheLimit) {
  HttpOptions options;
  options.max_bytes = 1000000;
  const auto response = http_get(server_.url("endless"), options);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kExhausted);
}

TEST_F(Http, ServerErrorIsTriedAgain) {
  const auto response = http_get(server_.url("flaky/2/hello.txt"), impatient());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "hello");
}

TEST_F(Http, RetriesEnd) {
  HttpOptions options = impatient();
  options.max_retries = 2;
  const auto response = http_get(server_.url("status/503/x"), options);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kUnavailable);
  EXPECT_EQ(log(), "/status/503/x -\n/status/503/x -\n/status/503/x -");
}

TEST_F(Http, RefusedAccessIsNotTriedAgain) {
  EXPECT_FALSE(http_get(server_.url("status/403/x"), impatient()));
  EXPECT_EQ(log(), "/status/403/x -");
}

TEST_F(Http, SilentServerIsGivenUp) {
  HttpOptions options = impatient();
  options.max_retries = 0;
  const auto response = http_get(server_.url("silent"), options);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kUnavailable);
}

TEST_F(Http, StalledDownloadIsGivenUpAndKeepsWhatCame) {
  HttpOptions options = impatient();
  options.max_retries = 0;
  const auto report = download("stall/1000/file.bin", options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kUnavailable);
  EXPECT_EQ(target_.read("file.part"), content_.substr(0, 1000));
}

TEST_F(Http, ClosedPortIsReportedAsSuch) {
  HttpOptions options = impatient();
  options.max_retries = 1;
  const auto response = http_get("http://127.0.0.1:1/x.bin", options);
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message(), HasSubstr("x.bin (http://127.0.0.1:1/x.bin): "));
}

TEST_F(Http, DownloadOfACutConnectionContinuesWhereItStopped) {
  const auto report = download("cutonce/100000/file.bin", impatient());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(target_.read("file.part"), content_);
  EXPECT_EQ(report->bytes, content_.size());
  EXPECT_EQ(log(), "/cutonce/100000/file.bin -\n/cutonce/100000/file.bin bytes=100000-");
}

TEST_F(Http, DownloadThatIsCutAgainAndAgainEndsAfterItsRetries) {
  HttpOptions options = impatient();
  options.max_retries = 2;
  const auto report = download("cut/1000/file.bin", options);
  ASSERT_FALSE(report);
  EXPECT_EQ(target_.read("file.part"), content_.substr(0, 3000));
}

TEST_F(Http, DownloadContinuesAnEarlierCall) {
  target_.write("file.part", content_.substr(0, 123456));
  const auto report = download("file.bin", impatient());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->resumed_bytes, 123456u);
  EXPECT_EQ(target_.read("file.part"), content_);
}

TEST_F(Http, DownloadStartsOverWhereTheServerKnowsNoRanges) {
  target_.write("file.part", "something else");
  const auto report = download("norange/file.bin", impatient());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->resumed_bytes, 0u);
  EXPECT_EQ(target_.read("file.part"), content_);
}

TEST_F(Http, AnotherRangeThanAskedForIsRefused) {
  target_.write("file.part", content_.substr(0, 1000));
  const auto report = download("badrange/file.bin", impatient());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("another range"));
  EXPECT_EQ(target_.read("file.part").size(), 1000u);
}

TEST_F(Http, CompleteFileIsNotFetchedAgain) {
  target_.write("file.part", content_);
  const auto report = download("file.bin", impatient());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->resumed_bytes, content_.size());
}

TEST_F(Http, FileLongerThanTheServersStartsOver) {
  target_.write("file.part", content_ + "more");
  const auto report = download("file.bin", impatient());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(target_.read("file.part"), content_);
}

TEST_F(Http, ErrorPagesDoNotEndUpInTheFile) {
  EXPECT_FALSE(download("status/404/file.bin", impatient()));
  EXPECT_EQ(target_.read("file.part"), "");
}

TEST_F(Http, FileLargerThanTheLimitIsRefused) {
  HttpOptions options = impatient();
  options.max_bytes = content_.size() - 1;
  const auto report = download("file.bin", options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kExhausted);
}

TEST_F(Http, ProgressReachesTheWholeFileAndCanStop) {
  uint64_t last = 0, total = 0;
  HttpOptions options = impatient();
  options.progress = [&](uint64_t done, uint64_t all) {
    last = done;
    if (all != 0) total = all;
    return true;
  };
  ASSERT_TRUE(download("cutonce/1000/file.bin", options));
  EXPECT_EQ(last, content_.size());
  EXPECT_EQ(total, content_.size());

  options.progress = [](uint64_t, uint64_t) { return false; };
  const auto stopped = http_get(server_.url("hello.txt"), options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kCancelled);
}

TEST_F(Http, UnwritableTargetIsNamed) {
  const auto report = http_download(server_.url("file.bin"), "/nonexistent/folder/x", impatient());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("/nonexistent/folder/x: "));
}

TEST_F(Http, CertificatesAreCheckedAgainstTheBundleOfTheEnvironment) {
  const std::string certificate = (target_ / "cert.pem").string();
  const std::string key = (target_ / "key.pem").string();
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext "
      "subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "needs the openssl program";
  const quintet::testing::HttpServer secure(root_.path(), {certificate, key});

  const auto unknown = http_get(secure.url("hello.txt"), impatient());
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("certificate"));

  const quintet::testing::ScopedEnv bundle("CURL_CA_BUNDLE", certificate);
  const auto trusted = http_get(secure.url("hello.txt"), impatient());
  ASSERT_TRUE(trusted) << trusted.error().message();
  EXPECT_EQ(trusted->body, "hello");

  EXPECT_FALSE(http_get(secure.url("to?" + server_.url("hello.txt")), impatient()))
      << "went from https to http";
  EXPECT_TRUE(http_get(server_.url("to?" + secure.url("hello.txt")), impatient()));
}

TEST(Url, LinksResolveAgainstTheirPage) {
  const std::string page = "https://host/simple/name/";
  EXPECT_EQ(resolve_url(page, "../../files/a.whl"), "https://host/files/a.whl");
  EXPECT_EQ(resolve_url(page, "/a.whl"), "https://host/a.whl");
  EXPECT_EQ(resolve_url(page, "//other/a.whl"), "https://other/a.whl");
  EXPECT_EQ(resolve_url(page, "https://other/a.whl"), "https://other/a.whl");
  EXPECT_EQ(resolve_url(page, "http://other/a.whl"), std::nullopt);
  EXPECT_EQ(resolve_url(page, "file:///etc/passwd"), std::nullopt);
  EXPECT_EQ(resolve_url("http://host/", "ftp://host/a"), std::nullopt);
}

TEST(Url, MessagesShowNoSecrets) {
  EXPECT_EQ(printable_url("https://user:pass@host/a/b?token=1#x"), "https://host/a/b");
  EXPECT_EQ(printable_url("https://host/a@b"), "https://host/a@b");
  EXPECT_THAT(printable_url("https://host/a\nb"), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace quintet::net
