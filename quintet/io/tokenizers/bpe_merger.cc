#include "quintet/io/tokenizers/bpe_merger.h"

#include <queue>

namespace quintet::io {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

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

}  // namespace

// splitmix64's finaliser: neighbouring ids must not share buckets.
size_t BpeMerger::Hash::operator()(uint64_t key) const {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
  return key ^ (key >> 31);
}

BpeMerger::BpeMerger(const std::array<int32_t, 256>& byte_ids, std::span<const Merge> merges)
    : byte_ids_(byte_ids) {
  rules_.reserve(merges.size());
  int32_t rank = 0;
  for (const Merge& merge : merges)
    rules_.insert_or_assign(pair_key(merge.left, merge.right), Rule{rank++, merge.merged});
}

const BpeMerger::Rule* BpeMerger::rule(int32_t left, int32_t right) const {
  const auto found = rules_.find(pair_key(left, right));
  return found == rules_.end() ? nullptr : &found->second;
}

void BpeMerger::merge(std::string_view word, int32_t unknown_id,
                      std::vector<int32_t>& tokens) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (const char byte : word) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id < 0 && unknown_id < 0) continue;
    const auto at = static_cast<int64_t>(symbols.size());
    symbols.push_back({id < 0 ? unknown_id : id, at - 1, at + 1});
  }
  if (symbols.empty()) return;
  const auto count = static_cast<int64_t>(symbols.size());
  const auto symbol = [&](int64_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };

  std::priority_queue<Candidate> queue;
  const auto offer = [&](int64_t left, int64_t right) {
    if (left < 0 || right >= count) return;
    const int32_t a = symbol(left).id;
    const int32_t b = symbol(right).id;
    if (const Rule* r = rule(a, b)) queue.push({r->rank, left, a, b, r->merged});
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
