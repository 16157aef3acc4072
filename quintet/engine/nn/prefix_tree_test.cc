#include "quintet/engine/nn/prefix_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace quintet::nn {
namespace {

using kernels::WeightFormat;

std::vector<int32_t> page_of(int32_t token) {
  return std::vector<int32_t>(static_cast<size_t>(KeyValuePages::kTokens), token);
}

class PrefixTreeTest : public testing::Test {
 protected:
  static KeyValuePages make_cache() {
    const KeyValueShape shape = {WeightFormat::kF32, 1, 1, 4};
    return {shape, 4 * KeyValuePages(shape, 0).page_bytes()};
  }

  // Adds a page that only the tree owns then.
  PrefixTree::Found add(int32_t parent, int32_t token) {
    const auto found = tree_.add(parent, page_of(token), cache_.take().value());
    cache_.drop(found.page);
    return found;
  }

  bool knows(int32_t parent, int32_t token) {
    const auto found = tree_.find(parent, page_of(token));
    if (found) cache_.drop(found->page);
    return found.has_value();
  }

  KeyValuePages cache_ = make_cache();
  PrefixTree tree_{cache_};
};

TEST_F(PrefixTreeTest, FindsWhatWasAddedBehindItsParentOnly) {
  const auto a = add(PrefixTree::kRoot, 1);
  const auto b = add(a.node, 2);
  EXPECT_EQ(tree_.size(), 2);
  const auto found = tree_.find(a.node, page_of(2));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->node, b.node);
  EXPECT_EQ(found->page, b.page);
  EXPECT_EQ(cache_.owners(b.page), 2);
  cache_.drop(found->page);
  EXPECT_FALSE(knows(PrefixTree::kRoot, 2));
  EXPECT_FALSE(knows(a.node, 1));
  auto other = page_of(1);
  other.back() = 7;
  EXPECT_FALSE(tree_.find(PrefixTree::kRoot, other));
}

TEST_F(PrefixTreeTest, GivesThePageThatIsThereForTokensThatAreKnown) {
  const auto a = add(PrefixTree::kRoot, 1);
  const int32_t twin = cache_.take().value();
  const auto again = tree_.add(PrefixTree::kRoot, page_of(1), twin);
  EXPECT_EQ(again.node, a.node);
  EXPECT_EQ(again.page, a.page);
  EXPECT_EQ(cache_.owners(a.page), 2);  // The tree and the caller.
  EXPECT_EQ(cache_.owners(twin), 0);
  EXPECT_EQ(tree_.size(), 1);
}

TEST_F(PrefixTreeTest, EvictsTheLeafThatWasNotUsedForTheLongestTime) {
  const auto a = add(PrefixTree::kRoot, 1);
  add(a.node, 2);
  add(PrefixTree::kRoot, 3);
  EXPECT_TRUE(knows(a.node, 2));  // Used: the other leaf goes first.
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_FALSE(knows(PrefixTree::kRoot, 3));
  ASSERT_TRUE(tree_.evict_one());  // Its parent is older, but has a child.
  EXPECT_TRUE(knows(PrefixTree::kRoot, 1));
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_FALSE(tree_.evict_one());
  EXPECT_EQ(tree_.size(), 0);
  EXPECT_EQ(cache_.free_pages(), cache_.max_pages());
}

TEST_F(PrefixTreeTest, EvictsNoPageThatASequenceOwns) {
  const auto a = add(PrefixTree::kRoot, 1);
  const auto held = tree_.find(PrefixTree::kRoot, page_of(1));
  EXPECT_FALSE(tree_.evict_one());
  cache_.drop(held->page);
  EXPECT_TRUE(tree_.evict_one());
  EXPECT_EQ(cache_.owners(a.page), 0);
}

TEST_F(PrefixTreeTest, VisitsParentsBeforeTheirChildrenWhateverTheirNumbers) {
  add(PrefixTree::kRoot, 1);
  const auto b = add(PrefixTree::kRoot, 2);
  EXPECT_TRUE(knows(PrefixTree::kRoot, 2));
  ASSERT_TRUE(tree_.evict_one());  // Number 1 is free, and goes to a child of number 2.
  const auto child = add(b.node, 5);
  EXPECT_LT(child.node, b.node);
  const auto grandchild = add(child.node, 6);
  std::map<int32_t, int32_t> parents = {{PrefixTree::kRoot, -1}};
  tree_.for_each([&](int32_t node, int32_t parent, std::span<const int32_t> tokens, int32_t page) {
    EXPECT_TRUE(parents.contains(parent)) << node;
    EXPECT_EQ(tokens.size(), static_cast<size_t>(KeyValuePages::kTokens));
    EXPECT_EQ(cache_.owners(page), 1);
    parents.emplace(node, parent);
  });
  const std::map<int32_t, int32_t> expected = {
      {PrefixTree::kRoot, -1}, {b.node, 0}, {child.node, b.node}, {grandchild.node, child.node}};
  EXPECT_EQ(parents, expected);
}

}  // namespace
}  // namespace quintet::nn
