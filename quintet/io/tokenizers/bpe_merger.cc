#include "quintet/io/tokenizers/bpe_merger.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <tuple>

namespace quintet::io {
namespace {

// One token of the word as merged so far; a doubly linked list in an array.
struct Symbol {
  int32_t id;
  int64_t previous;
  int64_t next;
};

struct Candidate {
  int32_t rank;
  int64_t at;  // Symbol that would merge with the next one.
  int32_t left;
  int32_t right;
  int32_t merged;

  // The queue gives its greatest element first: the lowest rank, then the leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

// The index of the rule for the two, or -1.
int64_t find_rule(const MergeTable<ArrayView>& table, int32_t left, int32_t right) {
  const auto l = static_cast<size_t>(left);
  const auto first = table.right.begin() + table.merge_begin[l];
  const auto last = table.right.begin() + table.merge_begin[l + 1];
  const auto found = std::lower_bound(first, last, right);
  return found == last || *found != right ? -1 : found - table.right.begin();
}

}  // namespace

MergeTable<OwnedArray> build_merge_table(std::span<const Merge> merges, int32_t ids) {
  std::vector<int32_t> order(merges.size());  // By left, right, and the last of equals first.
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int32_t i) {
    const Merge& merge = merges[static_cast<size_t>(i)];
    return std::tuple(merge.left, merge.right, -i);
  };
  std::ranges::sort(order, {}, key);

  MergeTable<OwnedArray> table;
  table.merge_begin.reserve(static_cast<size_t>(ids) + 1);
  const Merge* previous = nullptr;
  for (const int32_t i : order) {
    const Merge& merge = merges[static_cast<size_t>(i)];
    if (previous != nullptr && previous->left == merge.left && previous->right == merge.right)
      continue;
    previous = &merge;
    const auto rule = static_cast<int32_t>(table.right.size());
    while (std::ssize(table.merge_begin) <= merge.left) table.merge_begin.push_back(rule);
    table.right.push_back(merge.right);
    table.rank.push_back(merge.rank);
    table.merged.push_back(merge.merged);
  }
  table.merge_begin.resize(static_cast<size_t>(ids) + 1, static_cast<int32_t>(table.right.size()));
  return table;
}

void merge_parts(const MergeTable<ArrayView>& table, std::span<const int32_t> parts,
                 std::vector<int32_t>& tokens) {
  if (parts.empty()) return;
  std::vector<Symbol> symbols;
  symbols.reserve(parts.size());
  for (const int32_t id : parts) {
    const auto at = static_cast<int64_t>(symbols.size());
    symbols.push_back({id, at - 1, at + 1});
  }
  const auto count = static_cast<int64_t>(symbols.size());
  const auto symbol = [&](int64_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };

  std::priority_queue<Candidate> queue;
  const auto offer = [&](int64_t left, int64_t right) {
    if (left < 0 || right >= count) return;
    const int32_t a = symbol(left).id;
    const int32_t b = symbol(right).id;
    const int64_t rule = find_rule(table, a, b);
    if (rule < 0) return;
    const auto r = static_cast<size_t>(rule);
    queue.push({table.rank[r], left, a, b, table.merged[r]});
  };
  for (int64_t i = 0; i + 1 < count; ++i) offer(i, i + 1);

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    // A symbol that was merged into its neighbour has id -1; one that grew has another id.
    Symbol& left = symbol(best.at);
    if (left.id != best.left || left.next >= count || symbol(left.next).id != best.right) continue;
    Symbol& right = symbol(left.next);
    left.id = best.merged;
    right.id = -1;
    left.next = right.next;
    if (left.next < count) symbol(left.next).previous = best.at;
    offer(left.previous, best.at);
    offer(best.at, left.next);
  }
  for (int64_t i = 0; i < count; i = symbol(i).next) tokens.push_back(symbol(i).id);
}

}  // namespace quintet::io
