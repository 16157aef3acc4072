// Stop strings: texts that end an answer where they appear in it, also across the borders of
// tokens. They are no part of the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::decode {

// The strings of one request, as an automaton that many answers may share.
// Source: Aho and Corasick 1975, over bytes. Threads: const methods are safe concurrently.
class StopStrings {
 public:
  // Errors: kInvalidArgument where a string is empty. No strings: nothing stops.
  static Result<StopStrings> make(std::span<const std::string> strings);

 private:
  friend class StopScanner;
  static constexpr int32_t kNone = -1;
  struct Node {
    std::string children;  // Their bytes.
    int32_t fallback = 0;  // The longest proper suffix that begins a string.
    int32_t depth = 0;     // Bytes up to here.
    int32_t ends = kNone;  // The longest string that ends here,
    int32_t length = 0;    // and its bytes.
  };

  StopStrings() : nodes_(1) {}
  void add(const std::string& text, int32_t number);
  void link_fallbacks();
  int32_t next(int32_t node, char byte) const;

  std::vector<Node> nodes_;                         // The first stands for no byte.
  std::unordered_map<uint64_t, int32_t> children_;  // By node and byte.
};

// Reads one answer piece by piece. It ends where the first stop string is complete; of several that
// end with the same byte the longest counts.
// Cost: linear in the text, whatever the strings are.
class StopScanner {
 public:
  // `strings` must outlive it.
  explicit StopScanner(const StopStrings& strings) : strings_(&strings) {}

  // What may be shown after `piece`: everything but what could still become a stop string. Nothing
  // once it has stopped.
  std::string push(std::string_view piece);
  // The answer ends here: what was held back.
  std::string finish();

  // The number of the string that ended the answer.
  std::optional<size_t> stopped_by() const { return stopped_by_; }
  // Bytes given out so far; the length of the answer, once it has stopped or finished.
  int64_t shown_bytes() const { return shown_bytes_; }

 private:
  std::string show(size_t bytes);

  const StopStrings* strings_;
  int32_t node_ = 0;
  std::string held_;  // Ends with what leads to node_; in between calls, is that.
  std::optional<size_t> stopped_by_;
  int64_t shown_bytes_ = 0;
};

}  // namespace quintet::decode
