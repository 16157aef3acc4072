#include "quintet/engine/decode/stop_strings.h"

#include <deque>

namespace quintet::decode {
namespace {

uint64_t edge(int32_t node, char byte) {
  return static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(byte);
}

}  // namespace

Result<StopStrings> StopStrings::make(std::span<const std::string> strings) {
  // Nodes are numbered with 31 bits; no request needs more.
  constexpr size_t kMostBytes = 1 << 20;
  StopStrings made;
  size_t bytes = 0;
  for (size_t i = 0; i < strings.size(); ++i) {
    const std::string name = "stop string " + std::to_string(i + 1);
    if (strings[i].empty()) {
      return Error(Code::kInvalidArgument, name + " is empty: it has to have a character");
    }
    bytes += strings[i].size();
    if (bytes > kMostBytes) {
      return Error(Code::kInvalidArgument, "stop strings may have " + std::to_string(kMostBytes) +
                                               " bytes together, and " + name + " exceeds that");
    }
    made.add(strings[i], static_cast<int32_t>(i));
  }
  made.link_fallbacks();
  return made;
}

void StopStrings::add(const std::string& text, int32_t number) {
  int32_t node = 0;
  for (const char byte : text) {
    const auto [found, is_new] =
        children_.try_emplace(edge(node, byte), static_cast<int32_t>(nodes_.size()));
    if (is_new) {
      nodes_[static_cast<size_t>(node)].children.push_back(byte);
      const int32_t depth = nodes_[static_cast<size_t>(node)].depth + 1;
      nodes_.emplace_back().depth = depth;
    }
    node = found->second;
  }
  Node& last = nodes_[static_cast<size_t>(node)];
  if (last.ends == kNone) last.ends = number;
  last.length = last.depth;
}

// In the order of their depth: what a node falls back to is shallower.
void StopStrings::link_fallbacks() {
  std::deque<int32_t> waiting = {0};
  for (; !waiting.empty(); waiting.pop_front()) {
    const int32_t parent = waiting.front();
    for (const char byte : nodes_[static_cast<size_t>(parent)].children) {
      const int32_t id = children_.at(edge(parent, byte));
      Node& node = nodes_[static_cast<size_t>(id)];
      if (parent != 0) node.fallback = next(nodes_[static_cast<size_t>(parent)].fallback, byte);
      const Node& shorter = nodes_[static_cast<size_t>(node.fallback)];
      if (node.ends == kNone) {
        node.ends = shorter.ends;
        node.length = shorter.length;
      }
      waiting.push_back(id);
    }
  }
}

int32_t StopStrings::next(int32_t node, char byte) const {
  for (;;) {
    if (const auto found = children_.find(edge(node, byte)); found != children_.end()) {
      return found->second;
    }
    if (node == 0) return 0;
    node = nodes_[static_cast<size_t>(node)].fallback;
  }
}

std::string StopScanner::push(std::string_view piece) {
  if (stopped_by_.has_value()) return {};
  for (const char byte : piece) {
    held_ += byte;
    node_ = strings_->next(node_, byte);
    const auto& node = strings_->nodes_[static_cast<size_t>(node_)];
    if (node.ends == StopStrings::kNone) continue;
    stopped_by_ = static_cast<size_t>(node.ends);
    std::string shown = show(held_.size() - static_cast<size_t>(node.length));
    held_.clear();
    return shown;
  }
  return show(held_.size() -
              static_cast<size_t>(strings_->nodes_[static_cast<size_t>(node_)].depth));
}

std::string StopScanner::finish() {
  node_ = 0;
  return show(held_.size());
}

std::string StopScanner::show(size_t bytes) {
  std::string shown = held_.substr(0, bytes);
  held_.erase(0, bytes);
  shown_bytes_ += static_cast<int64_t>(bytes);
  return shown;
}

}  // namespace quintet::decode
