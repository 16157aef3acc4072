#include "quintet/engine/nn/prefix_tree.h"

#include "quintet/core/check.h"

namespace quintet::nn {

std::optional<PrefixTree::Found> PrefixTree::find(int32_t parent, std::span<const int32_t> tokens) {
  const auto found = index_.find({parent, {tokens.begin(), tokens.end()}});
  if (found == index_.end()) return std::nullopt;
  Node& node = nodes_[static_cast<size_t>(found->second)];
  node.last_used = ++clock_;
  pages_.share(node.page);
  return Found{found->second, node.page};
}

PrefixTree::Found PrefixTree::add(int32_t parent, std::span<const int32_t> tokens, int32_t page) {
  QT_CHECK_EQ(std::ssize(tokens), KeyValuePages::kTokens);
  if (const auto known = find(parent, tokens)) {
    pages_.drop(page);
    return *known;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<int32_t>(nodes_.size()));
    nodes_.emplace_back();
  }
  const int32_t id = free_.back();
  free_.pop_back();
  pages_.share(page);
  nodes_[static_cast<size_t>(id)] = {parent, page, 0, ++clock_, {tokens.begin(), tokens.end()}};
  ++nodes_[static_cast<size_t>(parent)].children;
  ++live_;
  index_.emplace(std::pair(parent, nodes_[static_cast<size_t>(id)].tokens), id);
  return Found{id, page};
}

bool PrefixTree::evict_one() {
  int32_t oldest = -1;
  for (size_t i = 1; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.page < 0 || node.children != 0 || pages_.owners(node.page) != 1) continue;
    if (oldest < 0 || node.last_used < nodes_[static_cast<size_t>(oldest)].last_used) {
      oldest = static_cast<int32_t>(i);
    }
  }
  if (oldest < 0) return false;
  Node& node = nodes_[static_cast<size_t>(oldest)];
  pages_.drop(node.page);
  --nodes_[static_cast<size_t>(node.parent)].children;
  index_.erase({node.parent, node.tokens});
  node = {};
  free_.push_back(oldest);
  --live_;
  return true;
}

void PrefixTree::for_each(const Visit& visit) const {
  // A parent may have a higher number than its children, where numbers came back.
  std::vector<int32_t> level = {kRoot};
  while (!level.empty()) {
    std::vector<int32_t> next;
    for (const int32_t parent : level) {
      const auto first = index_.lower_bound({parent, {}});
      for (auto it = first; it != index_.end() && it->first.first == parent; ++it) {
        const Node& node = nodes_[static_cast<size_t>(it->second)];
        visit(it->second, parent, node.tokens, node.page);
        next.push_back(it->second);
      }
    }
    level = std::move(next);
  }
}

}  // namespace quintet::nn
