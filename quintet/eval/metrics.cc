#include "quintet/eval/metrics.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "quintet/eval/normalize.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::eval {
namespace {

constexpr Metric kMetrics[] = {
#define QT_METRIC(name, function, better, description) \
  {#name, Better::better, description, &function},
#include "quintet/eval/metrics.inc"
#undef QT_METRIC
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<int32_t> code_points_of(std::string_view text) {
  constexpr int32_t kRawBytes = 0x110000;  // Behind the last code point.
  std::vector<int32_t> out;
  for (size_t at = 0; at < text.size();) {
    const io::CodePoint c = io::code_point_at(text, at);
    out.push_back(c.bytes == 0 ? kRawBytes + static_cast<unsigned char>(text[at])
                               : static_cast<int32_t>(c.value));
    at += std::max<size_t>(1, c.bytes);
  }
  return out;
}

// One cell of the table: the cheapest way to it.
struct Way {
  int64_t cost = 0;
  int64_t insertions = 0;
  int64_t deletions = 0;
  int64_t substitutions = 0;
};

Ratio ratio_of(const EditCounts& counts) { return {counts.errors(), counts.reference_length}; }

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

// What exact_match compares.
std::string plain_answer(std::string_view answer) {
  constexpr std::string_view kAtEnds = " .,;:!?\"'`";
  std::string text;
  const std::string lower = io::to_lower(answer);
  for (size_t at = 0; at < lower.size();) {
    const io::CodePoint c = io::code_point_at(lower, at);
    const size_t bytes = std::max<size_t>(1, c.bytes);
    if (c.bytes == 0 || !io::is_space(c.value))
      text += lower.substr(at, bytes);
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
    at += bytes;
  }
  const size_t first = text.find_first_not_of(kAtEnds);
  if (first == std::string::npos) return text;
  return text.substr(first, text.find_last_not_of(kAtEnds) - first + 1);
}

}  // namespace

double Ratio::rate() const {
  if (denominator == 0) return numerator == 0 ? 0.0 : 1.0;
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

Ratio sum(std::span<const Ratio> ratios) {
  Ratio total;
  for (const Ratio& ratio : ratios) total += ratio;
  return total;
}

EditCounts edit_counts(std::span<const int32_t> reference, std::span<const int32_t> hypothesis) {
  const auto columns = hypothesis.size();
  std::vector<Way> row(columns + 1);  // row[j]: from reference[0, i) to hypothesis[0, j).
  for (size_t j = 1; j <= columns; ++j) row[j] = {static_cast<int64_t>(j), static_cast<int64_t>(j)};
  for (const int32_t token : reference) {
    Way diagonal = row[0];
    ++row[0].cost;
    ++row[0].deletions;
    for (size_t j = 1; j <= columns; ++j) {
      const Way above = row[j];
      Way best = diagonal;
      if (token != hypothesis[j - 1]) {
        ++best.cost;
        ++best.substitutions;
      }
      if (above.cost + 1 < best.cost) {
        best = above;
        ++best.cost;
        ++best.deletions;
      }
      if (row[j - 1].cost + 1 < best.cost) {
        best = row[j - 1];
        ++best.cost;
        ++best.insertions;
      }
      row[j] = best;
      diagonal = above;
    }
  }
  const Way& end = row[columns];
  return {end.substitutions, end.insertions, end.deletions, static_cast<int64_t>(reference.size())};
}

EditCounts word_edits(std::string_view reference, std::string_view hypothesis) {
  std::unordered_map<std::string_view, int32_t> ids;
  const auto ids_of = [&](std::string_view text) {
    std::vector<int32_t> out;
    for (const std::string_view word : words_of(text))
      out.push_back(ids.try_emplace(word, static_cast<int32_t>(ids.size())).first->second);
    return out;
  };
  const std::vector<int32_t> reference_ids = ids_of(reference);
  return edit_counts(reference_ids, ids_of(hypothesis));
}

EditCounts character_edits(std::string_view reference, std::string_view hypothesis) {
  return edit_counts(code_points_of(reference), code_points_of(hypothesis));
}

Ratio word_error_rate(std::string_view reference, std::string_view hypothesis,
                      std::string_view language) {
  return ratio_of(
      word_edits(normalize_text(reference, language), normalize_text(hypothesis, language)));
}

Ratio character_error_rate(std::string_view reference, std::string_view hypothesis,
                           std::string_view language) {
  std::string expected = normalize_text(reference, language);
  std::string actual = normalize_text(hypothesis, language);
  if (writes_without_spaces(language)) {
    expected = without_spaces(std::move(expected));
    actual = without_spaces(std::move(actual));
  }
  return ratio_of(character_edits(expected, actual));
}

Ratio exact_match(std::string_view reference, std::string_view answer, std::string_view) {
  return {plain_answer(reference) == plain_answer(answer) ? 1 : 0, 1};
}

std::span<const Metric> all_metrics() { return kMetrics; }

const Metric* find_metric(std::string_view name) {
  for (const Metric& metric : kMetrics)
    if (metric.name == name) return &metric;
  return nullptr;
}

}  // namespace quintet::eval
