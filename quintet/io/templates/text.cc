#include "quintet/io/templates/text.h"

#include <string.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io::templates {
namespace {

// A byte that is no UTF-8 comes out as a value above Unicode, so that no property holds for it.
constexpr char32_t kNoCharacter = 0x110000;

CodePoint character_at(std::string_view text, size_t at) {
  const CodePoint c = code_point_at(text, at);
  return c.bytes > 0 ? c : CodePoint{kNoCharacter, 1};
}

CodePoint character_before(std::string_view text, size_t at) {
  const CodePoint c = code_point_before(text, at);
  return c.bytes > 0 ? c : CodePoint{kNoCharacter, 1};
}

// Python's str.isspace: White_Space and the four separators of ASCII.
bool is_python_space(char32_t c) { return is_space(c) || (c >= 0x1c && c <= 0x1f); }

bool is_line_end(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

char32_t mapped(char32_t c, utf8proc_int32_t (*map)(utf8proc_int32_t)) {
  if (c >= kNoCharacter) return c;
  return static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(c)));
}

bool is_cased(char32_t c) {
  return mapped(c, utf8proc_toupper) != c || mapped(c, utf8proc_tolower) != c;
}

// Capital letters of more than one character that occur in text: the sharp s.
void append_upper(std::string& out, char32_t c, std::string_view sharp_s = "SS") {
  if (c == U'\u00df') {
    out += sharp_s;
  } else {
    append_utf8(out, mapped(c, utf8proc_toupper));
  }
}

template <typename Drop>
std::string_view strip_if(std::string_view text, Sides sides, const Drop& drop) {
  while (sides.left && !text.empty()) {
    const CodePoint c = character_at(text, 0);
    if (!drop(c.value, text.substr(0, c.bytes))) break;
    text.remove_prefix(c.bytes);
  }
  while (sides.right && !text.empty()) {
    const CodePoint c = character_before(text, text.size());
    if (!drop(c.value, text.substr(text.size() - c.bytes))) break;
    text.remove_suffix(c.bytes);
  }
  return text;
}

class CharacterSet {
 public:
  explicit CharacterSet(std::string_view characters) {
    for (size_t at = 0; at < characters.size();) {
      const size_t bytes = character_at(characters, at).bytes;
      if (bytes == 1) single_.set(static_cast<unsigned char>(characters[at]));
      if (bytes > 1) longer_.insert(characters.substr(at, bytes));
      at += bytes;
    }
  }
  bool contains(std::string_view bytes) const {
    if (bytes.size() == 1) return single_[static_cast<unsigned char>(bytes[0])];
    return longer_.contains(bytes);
  }

 private:
  std::bitset<256> single_;
  std::unordered_set<std::string_view> longer_;
};

// Python's str.isprintable, for one character.
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  if (c >= kNoCharacter) return false;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

void append_escape(std::string& out, char32_t c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(c >> shift) & 15];
}

}  // namespace

Characters::Characters(std::string_view text) : text_(text) {
  const bool ascii =
      std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return;
  for (size_t at = 0; at < text.size(); at += character_at(text, at).bytes) starts_.push_back(at);
  starts_.push_back(text.size());
}

std::string_view Characters::range(size_t begin, size_t end) const {
  if (starts_.empty()) return text_.substr(begin, end - begin);
  return text_.substr(starts_[begin], starts_[end] - starts_[begin]);
}

std::string_view strip(std::string_view text, Sides sides) {
  return strip_if(text, sides, [](char32_t c, std::string_view) { return is_python_space(c); });
}

std::string_view strip(std::string_view text, Sides sides, std::string_view characters) {
  const CharacterSet set(characters);
  return strip_if(text, sides,
                  [&](char32_t, std::string_view bytes) { return set.contains(bytes); });
}

std::string upper(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = character_at(text, at);
    if (c.value == kNoCharacter) {
      out += text[at];
    } else {
      append_upper(out, c.value);
    }
    at += c.bytes;
  }
  return out;
}

std::string lower(std::string_view text) { return to_lower(text); }

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  const CodePoint first = code_point_at(text, 0);
  if (first.bytes == 0) return text.front() + to_lower(text.substr(1));
  std::string out;
  append_upper(out, first.value, "Ss");
  return out + to_lower(text.substr(first.bytes));
}

std::string title(std::string_view text) {
  std::string out;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = character_at(text, at);
    const bool cased = is_cased(c.value);
    if (!cased) {
      out += text.substr(at, c.bytes);
    } else if (in_word) {
      append_utf8(out, mapped(c.value, utf8proc_tolower));
    } else {
      append_upper(out, c.value, "Ss");
    }
    in_word = cased;
    at += c.bytes;
  }
  return out;
}

size_t find_text(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  const void* place = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (place == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(place) - text.data());
}

size_t find_last_text(std::string_view text, std::string_view part) {
  const std::string backwards(text.rbegin(), text.rend());
  const size_t at = find_text(backwards, std::string(part.rbegin(), part.rend()));
  return at == std::string::npos ? at : text.size() - at - part.size();
}

size_t count_text(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = find_text(text, part, at)) != std::string_view::npos;
       at += part.size()) {
    ++count;
  }
  return count;
}

std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit) {
  std::vector<std::string_view> pieces;
  for (text = strip(text, {.right = false}); !text.empty(); text = strip(text, {.right = false})) {
    if (limit >= 0 && static_cast<int64_t>(pieces.size()) >= limit) {
      pieces.push_back(text);
      break;
    }
    size_t end = 0;
    while (end < text.size() && !is_python_space(character_at(text, end).value)) {
      end += character_at(text, end).bytes;
    }
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return pieces;
}

std::vector<std::string_view> split_spaces_from_right(std::string_view text, int64_t limit) {
  std::vector<std::string_view> pieces;
  for (text = strip(text, {.left = false}); !text.empty(); text = strip(text, {.left = false})) {
    if (limit >= 0 && static_cast<int64_t>(pieces.size()) >= limit) {
      pieces.push_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0 && !is_python_space(character_before(text, begin).value)) {
      begin -= character_before(text, begin).bytes;
    }
    pieces.push_back(text.substr(begin));
    text.remove_suffix(text.size() - begin);
  }
  std::ranges::reverse(pieces);
  return pieces;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = character_at(text, at);
    const size_t end = at;
    at += c.bytes;
    if (!is_line_end(c.value)) continue;
    if (c.value == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 32> digits{};
  const auto shortest = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                      std::chars_format::scientific);
  const std::string scientific(digits.data(), shortest.ptr);
  int exponent = 0;
  const size_t e = scientific.find('e');
  const char* sign_of_exponent = scientific.data() + e + 1 + (scientific[e + 1] == '+' ? 1 : 0);
  std::from_chars(sign_of_exponent, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return scientific;
  std::array<char, 64> fixed{};
  const auto end =
      std::to_chars(fixed.data(), fixed.data() + fixed.size(), number, std::chars_format::fixed);
  const std::string plain(fixed.data(), end.ptr);
  return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

void append_quoted(std::string& out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  out += quote;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = character_at(text, at);
    if (c.value == static_cast<unsigned char>(quote) || c.value == '\\') {
      out += '\\';
      out += text[at];
    } else if (c.value == '\n' || c.value == '\r' || c.value == '\t') {
      out += c.value == '\n' ? "\\n" : c.value == '\r' ? "\\r" : "\\t";
    } else if (is_printable(c.value) || c.value == kNoCharacter) {
      out += text.substr(at, c.bytes);
    } else {
      append_escape(out, c.value);
    }
    at += c.bytes;
  }
  out += quote;
}

}  // namespace quintet::io::templates
