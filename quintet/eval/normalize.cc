#include "quintet/eval/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "quintet/eval/english_numbers.h"
#include "quintet/eval/english_spelling.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::eval {
namespace {

using io::CodePoint;
using Replacement = std::pair<std::string_view, std::string_view>;

constexpr std::array<std::string_view, 6> kFillers = {"hmm", "mm", "mhm", "mmm", "uh", "um"};

// Whole words, in this order.
constexpr std::array kWords = std::to_array<Replacement>({
    {"won't", "will not"},      {"can't", "can not"},     {"let's", "let us"},
    {"ain't", "aint"},          {"y'all", "you all"},     {"wanna", "want to"},
    {"gotta", "got to"},        {"gonna", "going to"},    {"i'ma", "i am going to"},
    {"imma", "i am going to"},  {"woulda", "would have"}, {"coulda", "could have"},
    {"shoulda", "should have"}, {"ma'am", "madam"},       {"mr", "mister"},
    {"mrs", "missus"},          {"st", "saint"},          {"dr", "doctor"},
    {"prof", "professor"},      {"capt", "captain"},      {"gov", "governor"},
    {"ald", "alderman"},        {"gen", "general"},       {"sen", "senator"},
    {"rep", "representative"},  {"pres", "president"},    {"rev", "reverend"},
    {"hon", "honorable"},       {"asst", "assistant"},    {"assoc", "associate"},
    {"lt", "lieutenant"},       {"col", "colonel"},       {"jr", "junior"},
    {"sr", "senior"},           {"esq", "esquire"},
});

// Ends of words, in this order: a word boundary stands behind them.
constexpr std::array kEndings = std::to_array<Replacement>({
    {"'d been", " had been"},
    {"'s been", " has been"},
    {"'d gone", " had gone"},
    {"'s gone", " has gone"},
    {"'d done", " had done"},
    {"'s got", " has got"},
    {"n't", " not"},
    {"'re", " are"},
    {"'s", " is"},
    {"'d", " would"},
    {"'ll", " will"},
    {"'t", " not"},
    {"'ve", " have"},
    {"'m", " am"},
});

// Letters that have no decomposition.
constexpr std::array kLetters = std::to_array<std::pair<char32_t, std::string_view>>({
    {U'œ', "oe"},
    {U'ø', "o"},
    {U'æ', "ae"},
    {U'ß', "ss"},
    {U'đ', "d"},
    {U'ð', "d"},
    {U'þ', "th"},
    {U'ł', "l"},
});

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_boundary(std::string_view text, size_t at) {
  const CodePoint before = io::code_point_before(text, at);
  const CodePoint after = io::code_point_at(text, at);
  const bool word_before = before.bytes > 0 && io::is_word(before.value);
  const bool word_after = after.bytes > 0 && io::is_word(after.value);
  return word_before != word_after;
}

// Each `from` as `to`, where `holds(begin, end)`.
template <typename Condition>
std::string replace_where(std::string_view text, std::string_view from, std::string_view to,
                          Condition holds) {
  std::string out;
  size_t done = 0;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, at)) {
    const size_t end = at + from.size();
    if (!holds(at, end)) {
      ++at;
      continue;
    }
    out.append(text.substr(done, at - done)).append(to);
    at = done = end;
  }
  return out.append(text.substr(done));
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  return replace_where(text, from, to, [](size_t, size_t) { return true; });
}

std::string replace_words(std::string_view text, const Replacement& words) {
  return replace_where(text, words.first, words.second, [&](size_t begin, size_t end) {
    return is_boundary(text, begin) && is_boundary(text, end);
  });
}

std::string replace_endings(std::string_view text, const Replacement& endings) {
  return replace_where(text, endings.first, endings.second,
                       [&](size_t, size_t end) { return is_boundary(text, end); });
}

// Without what stands between brackets: "[noise]", "<noise>" and, mixed as they may be, "(noise)".
std::string remove_bracketed(std::string_view text) {
  const auto remove = [](std::string_view in, std::string_view openers, std::string_view closers,
                         size_t least) {
    std::string out;
    size_t end = 0;  // The next closer, where that is not behind us.
    for (size_t at = 0; at < in.size();) {
      if (openers.find(in[at]) != std::string_view::npos) {
        if (end <= at) end = in.find_first_of(closers, at + 1);
        if (end != std::string_view::npos && end - at > least) {
          at = end + 1;
          continue;
        }
      }
      out += in[at++];
    }
    return out;
  };
  return remove(remove(text, "[<", "]>", 0), "(", ")", 1);
}

std::string single_spaces(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = io::code_point_at(text, at);
    const size_t bytes = c.bytes == 0 ? 1 : c.bytes;
    if (c.bytes == 0 || !io::is_space(c.value))
      out += text.substr(at, bytes);
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
    at += bytes;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// Valid UTF-8 in NFC or another form; other bytes become spaces, since they are no text.
std::string clean(std::string_view text, io::NormalForm form) {
  std::string valid;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = io::valid_utf8_bytes(text, at);
    valid += text.substr(at, bytes);
    at += bytes;
    if (at < text.size()) valid += ' ';
    ++at;
  }
  return io::normalize_unicode(valid, form);
}

std::string without_space_before_apostrophes(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      while (!out.empty() && (out.back() == ' ' || (out.back() >= '\t' && out.back() <= '\r')))
        out.pop_back();
    out += c;
  }
  return out;
}

// "10,000" -> "10000"; "1,2,3" -> "12,3", because a digit joins one side only.
std::string without_commas_in_numbers(std::string_view text) {
  std::string out;
  size_t joined = std::string_view::npos;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == ',' && at > 0 && at + 1 < text.size() && is_digit(text[at - 1]) &&
        is_digit(text[at + 1]) && joined != at - 1) {
      joined = at + 1;
      continue;
    }
    out += text[at];
  }
  return out;
}

// A space for each character of `signs` that no digit follows; the character behind it stays as it
// is, whatever it is.
std::string without_signs_before_no_digit(std::string_view text, std::u32string_view signs) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = io::code_point_at(text, at);
    const std::string_view here = text.substr(at, c.bytes);
    at += c.bytes;
    if (signs.find(c.value) == std::u32string_view::npos ||
        (at < text.size() && is_digit(text[at]))) {
      out += here;
      continue;
    }
    const size_t behind = io::code_point_at(text, at).bytes;
    out.append(1, ' ').append(text.substr(at, behind));
    at += behind;
  }
  return out;
}

std::string without_percent_behind_no_digit(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at)
    out += text[at] == '%' && at > 0 && !is_digit(text[at - 1]) ? ' ' : text[at];
  return out;
}

// REQUIRES: `text` in NFKD and lower case.
std::string without_symbols_and_diacritics(std::string_view text) {
  constexpr std::u32string_view kKept = U".%$¢€£";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = io::code_point_at(text, at);
    const auto letter = [&]() -> std::string_view {
      for (const auto& [from, to] : kLetters)
        if (from == c.value) return to;
      return text.substr(at, c.bytes);
    }();
    if (kKept.find(c.value) != std::u32string_view::npos)
      out += letter;
    else if (io::is_symbol_or_punctuation(c.value))
      out += ' ';
    else if (!io::is_mark(c.value))
      out += letter;
    at += c.bytes;
  }
  return out;
}

std::string american_words(std::string_view text) {
  std::string out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (at > 0) out += ' ';
    out += american_spelling(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// A space between grapheme clusters, whose white space is dropped.
std::string letters_apart(std::string_view text) {
  std::string out;
  utf8proc_int32_t state = 0;
  utf8proc_int32_t previous = -1;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = io::code_point_at(text, at);
    const auto value = static_cast<utf8proc_int32_t>(c.value);
    if (previous >= 0 && utf8proc_grapheme_break_stateful(previous, value, &state)) out += ' ';
    out += text.substr(at, c.bytes);
    previous = value;
    at += c.bytes;
  }
  return out;
}

}  // namespace

std::string normalize_basic(std::string_view text, SplitLetters split) {
  const std::string plain = clean(remove_bracketed(io::to_lower(text)), io::NormalForm::kNfkc);
  std::string out;
  for (size_t at = 0; at < plain.size();) {
    const CodePoint c = io::code_point_at(plain, at);
    constexpr char32_t kZeroWidthJoiner = 0x200d;
    if (io::is_mark(c.value) || io::is_symbol_or_punctuation(c.value) ||
        c.value == kZeroWidthJoiner)
      out += ' ';
    else
      out += plain.substr(at, c.bytes);
    at += c.bytes;
  }
  out = io::to_lower(out);
  if (split == SplitLetters::kYes) out = letters_apart(out);
  return single_spaces(out);
}

std::string normalize_english(std::string_view text) {
  std::string out = remove_bracketed(io::to_lower(clean(text, io::NormalForm::kNfc)));
  out = replace_all(out, "\u2019", "'");
  for (const std::string_view filler : kFillers) out = replace_words(out, {filler, ""});
  out = without_space_before_apostrophes(out);
  for (const Replacement& words : kWords) out = replace_words(out, words);
  for (const Replacement& endings : kEndings) out = replace_endings(out, endings);
  out = without_commas_in_numbers(out);
  out = without_signs_before_no_digit(out, U".");
  out = without_symbols_and_diacritics(io::normalize_unicode(out, io::NormalForm::kNfkd));
  out = english_numbers_to_digits(single_spaces(out));
  out = american_words(out);
  out = without_signs_before_no_digit(out, U".$¢€£");
  return single_spaces(without_percent_behind_no_digit(out));
}

bool writes_without_spaces(std::string_view language) {
  constexpr std::array<std::string_view, 6> kLanguages = {"zh", "yue", "ja", "th", "lo", "my"};
  return std::find(kLanguages.begin(), kLanguages.end(), language) != kLanguages.end();
}

std::string normalize_text(std::string_view text, std::string_view language) {
  if (language.empty() || language == "en") return normalize_english(text);
  return normalize_basic(text,
                         writes_without_spaces(language) ? SplitLetters::kYes : SplitLetters::kNo);
}

}  // namespace quintet::eval
