#include "quintet/engine/text/prefix_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "quintet/core/file.h"
#include "quintet/engine/text/text_model.h"

namespace quintet::text {
namespace {

namespace fs = std::filesystem;
using kernels::WeightFormat;
using nn::KeyValuePages;
using nn::PrefixTree;

const std::string kFingerprint(64, 'f');
constexpr size_t kVersionAt = 8;
constexpr size_t kCountAt = 8 + 4 + 4 + 4 * 8 + 64;

std::vector<int32_t> page_of(int32_t token) {
  return std::vector<int32_t>(static_cast<size_t>(KeyValuePages::kTokens), token);
}

KeyValuePages make_cache(int64_t pages, WeightFormat format = WeightFormat::kF32) {
  const nn::KeyValueShape shape = {format, 1, 1, 4};
  return {shape, static_cast<size_t>(pages) * KeyValuePages(shape, 0).page_bytes()};
}

// Of every node: its tokens from the root on, one per page, and a byte of its page.
std::map<std::vector<int32_t>, std::byte> content(const PrefixTree& tree,
                                                  const KeyValuePages& cache) {
  std::map<int32_t, std::vector<int32_t>> paths = {{PrefixTree::kRoot, {}}};
  std::map<std::vector<int32_t>, std::byte> all;
  tree.for_each([&](int32_t node, int32_t parent, std::span<const int32_t> tokens, int32_t page) {
    std::vector<int32_t> path = paths.at(parent);
    path.push_back(tokens.front());
    all[path] = cache.page_data(page)[5];
    paths[node] = std::move(path);
  });
  return all;
}

class PrefixFile : public testing::Test {
 protected:
  void SetUp() override {
    const int32_t a = add(PrefixTree::kRoot, 1);
    add(add(a, 2), 3);
    add(a, 4);
    add(PrefixTree::kRoot, 5);
    file_ =
        fs::path(testing::TempDir()) /
        (std::string("prefixes-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    ASSERT_TRUE(write_prefixes(file_, tree_, cache_, kFingerprint));
    bytes_ = read_file(file_, 1 << 20).value();
  }
  void TearDown() override { fs::remove(file_); }

  int32_t add(int32_t parent, int32_t token) {
    const int32_t page = cache_.take().value();
    std::memset(cache_.page_data(page), 10 + token, cache_.page_bytes());
    const auto added = tree_.add(parent, page_of(token), page);
    cache_.drop(added.page);
    return added.node;
  }

  static Result<std::vector<StoredPage>> parse(const std::string& bytes,
                                               const KeyValuePages& cache = make_cache(1),
                                               const std::string& fingerprint = kFingerprint) {
    return parse_prefixes(std::as_bytes(std::span(bytes)), cache, fingerprint);
  }

  KeyValuePages cache_ = make_cache(8);
  PrefixTree tree_{cache_};
  fs::path file_;
  std::string bytes_;
};

TEST_F(PrefixFile, GivesBackTheTreeAndItsPages) {
  KeyValuePages cache = make_cache(8);
  PrefixTree tree(cache);
  const auto pages = parse(bytes_).value();
  EXPECT_EQ(add_prefixes(pages, tree, cache), 5);
  EXPECT_EQ(content(tree, cache), content(tree_, cache_));
  EXPECT_EQ(cache.free_pages(), 3);
  EXPECT_EQ(add_prefixes(pages, tree, cache), 5);  // Again: nothing new.
  EXPECT_EQ(tree.size(), 5);
  EXPECT_EQ(cache.free_pages(), 3);
  while (tree.evict_one()) {
  }
  EXPECT_EQ(cache.free_pages(), 8);
}

TEST_F(PrefixFile, FillsASmallerCacheWithParentsFirst) {
  KeyValuePages cache = make_cache(2);
  PrefixTree tree(cache);
  EXPECT_EQ(add_prefixes(parse(bytes_).value(), tree, cache), 2);
  EXPECT_EQ(tree.size(), 2);
}

TEST_F(PrefixFile, OfAnEmptyTreeIsEmpty) {
  KeyValuePages cache = make_cache(1);
  ASSERT_TRUE(write_prefixes(file_, PrefixTree(cache), cache, kFingerprint));
  EXPECT_TRUE(parse(read_file(file_, 1 << 20).value()).value().empty());
}

TEST_F(PrefixFile, OfAnotherModelIsRefused) {
  const std::string other(64, 'e');
  EXPECT_EQ(parse(bytes_, make_cache(1), other).error().code(), Code::kInvalidArgument);
  const KeyValuePages bf16 = make_cache(1, WeightFormat::kBF16);
  const auto refused = parse(bytes_, bf16);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("another model"), std::string::npos);
}

TEST_F(PrefixFile, OfAnotherVersionIsRefused) {
  bytes_[kVersionAt] = 2;
  const auto refused = parse(bytes_);
  EXPECT_EQ(refused.error().code(), Code::kUnsupported);
  EXPECT_NE(refused.error().message().find("version 2"), std::string::npos);
}

TEST_F(PrefixFile, CutAnywhereIsRefused) {
  for (size_t size = 0; size < bytes_.size(); size += size < 300 ? 1 : 97) {
    EXPECT_FALSE(parse(bytes_.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse(bytes_ + "x"));
}

TEST_F(PrefixFile, DamagedAnywhereIsRefused) {
  for (size_t at = 0; at < bytes_.size(); at += at < 300 ? 1 : 97) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_FALSE(parse(damaged)) << at;
  }
}

TEST_F(PrefixFile, WithAnyCountOfPagesIsRefused) {
  for (const uint64_t count : {uint64_t{0}, uint64_t{6}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::memcpy(&bytes_[kCountAt], &count, sizeof count);
    const auto refused = parse(bytes_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kCorrupt);
  }
}

TEST(TextModelPrefixes, ServeALaterProcessThatRunsTheSameModel) {
  const std::string folder = std::string(QUINTET_SOURCE_DIR) + "/tests/goldens/tiny-llama";
  const fs::path file = fs::path(testing::TempDir()) / "text-model-prefixes";
  const auto load = [&](Precision precision, const std::string& of) {
    return TextModel::load(of, {.precision = precision, .threads = 2}).value();
  };
  std::vector<int32_t> prompt;
  for (int32_t i = 0; i < 150; ++i) prompt.push_back(3 + i % 77);
  const GenerateRequest request = {prompt, {.max_new_tokens = 20, .ignore_end = true}};
  for (const Precision precision : {Precision::kF32, Precision::kInt8}) {
    const TextModel first = load(precision, folder);
    const auto expected = first.generate(request).value();
    ASSERT_TRUE(first.save_prefixes(file));
    const TextModel second = load(precision, folder);
    EXPECT_EQ(second.load_prefixes(file).value(), 128);
    const auto answer = second.generate(request).value();
    EXPECT_EQ(answer.kept_tokens, 128);
    EXPECT_EQ(answer.tokens, expected.tokens);
    const auto other = load(Precision::kBF16, folder).load_prefixes(file);
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().message().starts_with(file.string() + ": was made by another"));
    EXPECT_FALSE(load(precision, folder + "3-rope").load_prefixes(file));
  }
  fs::remove(file);
  EXPECT_EQ(load(Precision::kF32, folder).load_prefixes(file).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace quintet::text
