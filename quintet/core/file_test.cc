#include "quintet/core/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace quintet {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "quintet-file-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) const {
    EXPECT_TRUE(write_file_atomically(folder_ / name, content));
    return folder_ / name;
  }
  int files() const {
    return static_cast<int>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(File, WhatWasWrittenIsReadBack) {
  const std::string content("first\0second\n", 13);
  const fs::path path = write("a", content);
  EXPECT_EQ(*read_file(path, 1000), content);
  const auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(text((*mapped)->bytes()), content);
  EXPECT_EQ((*mapped)->path(), path);
}

TEST_F(File, AnEmptyFileIsReadAndMapped) {
  const fs::path path = write("empty", "");
  EXPECT_EQ(*read_file(path, 0), "");
  EXPECT_TRUE((*MappedFile::open(path))->bytes().empty());
}

TEST_F(File, ReleasedPagesAreReadAgain) {
  std::string content(5 * 4096 + 100, 'a');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7);
  const auto mapped = *MappedFile::open(write("a", content));
  EXPECT_EQ(text(mapped->bytes()), content);
  mapped->release(mapped->bytes());
  mapped->release(mapped->bytes().subspan(3, 4096));  // No whole page inside.
  mapped->release(mapped->bytes().last(0));
  EXPECT_EQ(text(mapped->bytes()), content);
}

TEST_F(File, AMappingOutlivesItsNameAndItsSuccessor) {
  const fs::path path = write("a", "old");
  const auto mapped = MappedFile::open(path);
  write("a", "new!");
  EXPECT_EQ(text((*mapped)->bytes()), "old");
  fs::remove(path);
  EXPECT_EQ(text((*mapped)->bytes()), "old");
}

TEST_F(File, MissingFilesAreNotFoundAndNamed) {
  const fs::path path = folder_ / "none";
  for (const Error& error : {MappedFile::open(path).error(), read_file(path, 10).error(),
                             read_file(folder_ / "a" / "b", 10).error()}) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_EQ(error.message().find(folder_.string()), 0u) << error.message();
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
  }
}

TEST_F(File, AFileWhereAFolderIsExpectedIsNotFound) {
  write("plain", "x");
  EXPECT_EQ(read_file(folder_ / "plain" / "b", 10).error().code(), Code::kNotFound);
}

TEST_F(File, FoldersAndPipesAreRefusedAtOnce) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {folder_, pipe, fs::path("/dev/zero")}) {
    EXPECT_EQ(MappedFile::open(path).error().code(), Code::kIo) << path;
    EXPECT_EQ(read_file(path, 10).error().code(), Code::kIo) << path;
  }
}

TEST_F(File, AFileAboveTheLimitIsRefusedWithBothSizes) {
  const fs::path path = write("a", "12345");
  EXPECT_EQ(*read_file(path, 5), "12345");
  const Error error = read_file(path, 4).error();
  EXPECT_EQ(error.code(), Code::kExhausted);
  EXPECT_NE(error.message().find("5 bytes"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("the 4 allowed"), std::string::npos) << error.message();
}

TEST_F(File, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const fs::path path = write("a", "old");
  const Result<void> result = write_file_atomically(path, [](const ByteSink& sink) -> Result<void> {
    const std::vector<std::byte> part(100000);
    QT_TRY_VOID(sink(part));
    return Error(Code::kCancelled, "stopped");
  });
  EXPECT_EQ(result.error().code(), Code::kCancelled);
  EXPECT_EQ(*read_file(path, 100), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(File, TheSinkAppendsInOrder) {
  const fs::path path = folder_ / "a";
  ASSERT_TRUE(write_file_atomically(path, [](const ByteSink& sink) -> Result<void> {
    for (const std::string part : {"one,", "", "two"}) {
      QT_TRY_VOID(sink(std::as_bytes(std::span(part.data(), part.size()))));
    }
    return {};
  }));
  EXPECT_EQ(*read_file(path, 100), "one,two");
}

TEST_F(File, WritingIntoAMissingFolderIsNotFound) {
  const Error error = write_file_atomically(folder_ / "no" / "a", "x").error();
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_NE(error.message().find((folder_ / "no" / "a").string()), std::string::npos);
}

TEST_F(File, WhetherOneCanBeWrittenIsKnownBeforeAndLeavesNothing) {
  const fs::path path = write("a", "old");
  EXPECT_TRUE(check_can_write(path));
  EXPECT_TRUE(check_can_write(folder_ / "b"));
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(*read_file(path, 100), "old");
  for (const fs::path& bad : {fs::path(), fs::path(folder_), folder_ / "no" / "a", path / "a"}) {
    const Result<void> before = check_can_write(bad);
    const Result<void> result = write_file_atomically(bad, "x");
    ASSERT_FALSE(before) << bad;
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(before.error().message(), result.error().message());
    EXPECT_EQ(before.error().code(), result.error().code());
  }
  EXPECT_EQ(files(), 1);
}

TEST_F(File, ATargetThatCannotBeReplacedIsAnErrorAndLeavesNoTemporaryFile) {
  const fs::path path = folder_ / "a";
  const Result<void> result = write_file_atomically(path, [&](const ByteSink&) -> Result<void> {
    fs::create_directory(path);  // Makes the final renaming fail.
    return {};
  });
  EXPECT_EQ(result.error().code(), Code::kIo);
  EXPECT_EQ(files(), 1);
}

TEST_F(File, AWrittenFileHasThePermissionsOfTheUmask) {
  const mode_t before = ::umask(027);
  const fs::path path = write("a", "x");
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

}  // namespace
}  // namespace quintet
