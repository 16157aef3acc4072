// How far an answer is from its reference.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quintet::eval {

// A share of something: wrong words of all words, right answers of all answers. Sums over items are
// the corpus-level figure.
struct Ratio {
  int64_t numerator = 0;
  int64_t denominator = 0;

  Ratio& operator+=(const Ratio& other) {
    numerator += other.numerator;
    denominator += other.denominator;
    return *this;
  }
  bool operator==(const Ratio&) const = default;

  // Where the denominator is 0: 0 for 0 of 0, otherwise 1 (only insertions: all of it is wrong).
  double rate() const;
};

Ratio sum(std::span<const Ratio> ratios);

// The cheapest way from a reference to a hypothesis, each edit costing 1.
struct EditCounts {
  int64_t substitutions = 0;
  int64_t insertions = 0;  // In the hypothesis only.
  int64_t deletions = 0;   // In the reference only.
  int64_t reference_length = 0;

  int64_t errors() const { return substitutions + insertions + deletions; }
  bool operator==(const EditCounts&) const = default;
};

// Of equally cheap steps a substitution goes before a deletion, and that before an insertion.
// Cost: O(reference * hypothesis) time, O(hypothesis) memory.
EditCounts edit_counts(std::span<const int32_t> reference, std::span<const int32_t> hypothesis);

// Words are what stands between spaces; nothing is normalised here.
EditCounts word_edits(std::string_view reference, std::string_view hypothesis);

// Characters are code points; bytes that are not UTF-8 count one each.
EditCounts character_edits(std::string_view reference, std::string_view hypothesis);

// Word and character error rate after normalize_text(language). Characters include the spaces,
// except in languages written without.
Ratio word_error_rate(std::string_view reference, std::string_view hypothesis,
                      std::string_view language);
Ratio character_error_rate(std::string_view reference, std::string_view hypothesis,
                           std::string_view language);

// 1 of 1 where the two are the same but for case, runs of white space, and quotes, full stops and
// the like at the ends.
Ratio exact_match(std::string_view reference, std::string_view answer, std::string_view language);

enum class Better { kLower, kHigher };

struct Metric {
  std::string_view name;
  Better better;
  std::string_view description;
  Ratio (*score)(std::string_view reference, std::string_view answer, std::string_view language);
};

// All metrics (metrics.inc), and one by its name; nullptr where there is none.
std::span<const Metric> all_metrics();
const Metric* find_metric(std::string_view name);

}  // namespace quintet::eval
