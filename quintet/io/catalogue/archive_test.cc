#include "quintet/io/catalogue/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quintet/io/catalogue/sha256.h"
#include "tests/support/http_server.h"
#include "tests/support/zip_writer.h"

namespace quintet::io {
namespace {

using quintet::testing::zip_of;
using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Result<std::string> extract(const std::string& zip, const std::string& member, uint64_t bytes) {
  QT_TRY(const Archive archive, Archive::open(bytes_of(zip)));
  std::string content;
  QT_TRY_VOID(archive.extract(member, bytes, [&](std::span<const std::byte> piece) -> Result<void> {
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return content;
}

TEST(Archive, MembersComeOutAsTheyWentIn) {
  const std::string big(1000000, 'x');
  const std::string zip = zip_of({{"a/b.txt", "hello"}, {"big", big}, {"empty", ""}});
  EXPECT_EQ(extract(zip, "a/b.txt", 5).value(), "hello");
  EXPECT_EQ(extract(zip, "big", big.size()).value(), big);
  EXPECT_EQ(extract(zip, "empty", 0).value(), "");
}

TEST(Archive, WrongCrcIsFound) {
  const auto content = extract(zip_of({{"a", "hello", 0x12345678}}), "a", 5);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code(), Code::kCorrupt);
  EXPECT_THAT(content.error().message(), HasSubstr("CRC"));
}

TEST(Archive, SizeOtherThanExpectedIsRefusedBeforeUnpacking) {
  const auto content = extract(zip_of({{"a", "hello"}}), "a", 4);
  ASSERT_FALSE(content);
  EXPECT_THAT(content.error().message(), HasSubstr("has 5 bytes in the archive, expected 4"));
}

TEST(Archive, NamesThatLeaveTheFolderAreRefused) {
  const std::string zip = zip_of({{"../evil", "x"}, {"/evil", "x"}, {"a/../../evil", "x"}});
  for (const char* name : {"../evil", "/evil", "a/../../evil"}) {
    const auto content = extract(zip, name, 1);
    ASSERT_FALSE(content) << name;
    EXPECT_EQ(content.error().code(), Code::kCorrupt);
  }
  for (const char* name : {"", "a//b", "./a", "a/.", "a\\b", "a\nb", "a/"}) {
    EXPECT_FALSE(is_safe_member(name)) << name;
  }
  EXPECT_TRUE(is_safe_member("a-1.0.dist-info/licenses/LICENSE"));
}

TEST(Archive, TruncatedAndForeignBytesAreRefused) {
  const std::string zip = zip_of({{"a", "hello"}});
  for (size_t size = 0; size < zip.size(); ++size) {
    EXPECT_FALSE(Archive::open(bytes_of(zip.substr(0, size)))) << size;
  }
  EXPECT_FALSE(Archive::open(bytes_of("<html>not found</html>")));
}

TEST(Archive, MissingMemberIsNamed) {
  const auto content = extract(zip_of({{"a", "hello"}}), "b", 5);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code(), Code::kNotFound);
  EXPECT_THAT(content.error().message(), HasSubstr("b: not in the archive"));
}

TEST(Sha256, KnownAnswersHold) {
  // Source: FIPS 180-2, appendix B.
  EXPECT_EQ(Sha256().finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 hash;
  hash.add(bytes_of("a"));
  hash.add(bytes_of("bc"));
  EXPECT_EQ(hash.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, FileIsHashedAsItsContent) {
  const quintet::testing::TemporaryFolder folder;
  folder.write("abc", "abc");
  EXPECT_EQ(sha256_of_file(folder / "abc").value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_file(folder / "none").error().code(), Code::kNotFound);
  EXPECT_FALSE(sha256_of_file(folder.path()));
}

}  // namespace
}  // namespace quintet::io
