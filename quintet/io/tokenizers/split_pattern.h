// Splitting of text at the matches of a pattern that a tokenizer file brings.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/core/result.h"

namespace quintet::io {

// What becomes of the matches. Names and effects as in Hugging Face tokenizers.
enum class SplitBehavior {
  kRemoved,             // Dropped.
  kIsolated,            // A piece each.
  kMergedWithPrevious,  // Joined to the piece before.
  kMergedWithNext,      // Joined to the piece after.
  kContiguous,          // A piece each run of adjoining matches.
};

inline constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kSplitBehaviorNames = {
    {{"Removed", SplitBehavior::kRemoved},
     {"Isolated", SplitBehavior::kIsolated},
     {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
     {"MergedWithNext", SplitBehavior::kMergedWithNext},
     {"Contiguous", SplitBehavior::kContiguous}}};

enum class PatternSyntax { kRegex, kLiteral };

// A compiled pattern. Regular expressions are PCRE2's, over Unicode code points.
// Threads: const methods are safe concurrently.
class SplitPattern {
 public:
  struct Options {
    PatternSyntax syntax = PatternSyntax::kRegex;
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;  // What lies between the matches counts as the matches.
  };

  // Errors: kUnsupported where PCRE2 cannot compile it; kExhausted where it is too long.
  static Result<SplitPattern> compile(std::string_view pattern, Options options);

  SplitPattern(SplitPattern&&) noexcept;
  SplitPattern& operator=(SplitPattern&&) noexcept;
  ~SplitPattern();

  // The pieces, in order, none empty. An attempt that takes too many steps counts as no match:
  // the pieces are longer then, and still hold every byte.
  // REQUIRES: `text` is valid UTF-8.
  std::vector<std::string_view> split(std::string_view text) const;

  // The text with `content` in the place of each match. REQUIRES: as split.
  std::string replaced(std::string_view text, std::string_view content) const;

 private:
  struct Compiled;
  struct Section;
  SplitPattern(std::unique_ptr<const Compiled> compiled, Options options);
  std::vector<Section> sections(std::string_view text) const;

  std::unique_ptr<const Compiled> compiled_;
  Options options_;
};

// A pattern that is not compiled yet.
struct SplitRule {
  std::string pattern;
  SplitPattern::Options options;
};

}  // namespace quintet::io
