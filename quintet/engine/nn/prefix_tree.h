// Which pages of a cache hold which beginnings of sequences: kept for those that begin alike.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "quintet/engine/nn/key_value_pages.h"

namespace quintet::nn {

// A node stands for a page of tokens after those of its parent; it owns the page. Tokens are
// compared themselves, so that nothing is taken for something else. (Zheng et al. 2024,
// RadixAttention.)
class PrefixTree {
 public:
  explicit PrefixTree(KeyValuePages& pages) : pages_(pages) { nodes_.emplace_back(); }

  static constexpr int32_t kRoot = 0;

  // The node behind `parent` with exactly these tokens; its page is shared with the caller, who
  // has to drop it.
  struct Found {
    int32_t node;
    int32_t page;
  };
  std::optional<Found> find(int32_t parent, std::span<const int32_t> tokens);

  // Adds `page`, of which the tree becomes one more owner. Where the tokens are known already, the
  // caller's ownership passes to the page that is there. REQUIRES: a whole page of tokens.
  Found add(int32_t parent, std::span<const int32_t> tokens, int32_t page);

  // Drops the page that has not been used for the longest time among those that nobody else owns
  // and no other node follows. False where there is none.
  bool evict_one();

  int64_t size() const { return live_; }

  // Calls visit(node, parent, tokens, page) for every node, parents first.
  using Visit = std::function<void(int32_t node, int32_t parent, std::span<const int32_t> tokens,
                                   int32_t page)>;
  void for_each(const Visit& visit) const;

 private:
  struct Node {
    int32_t parent = -1;  // -1: the root, or not in use.
    int32_t page = -1;
    int64_t children = 0;
    uint64_t last_used = 0;
    std::vector<int32_t> tokens{};
  };

  KeyValuePages& pages_;
  std::vector<Node> nodes_;
  std::vector<int32_t> free_;
  std::map<std::pair<int32_t, std::vector<int32_t>>, int32_t> index_;
  uint64_t clock_ = 0;
  int64_t live_ = 0;
};

}  // namespace quintet::nn
