// UTF-8 and Unicode properties, for tokenizers and text metrics.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace quintet::io {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;  // 0: no valid UTF-8 here (or the end of the text).
};

// The code point that begins at byte `at`. Overlong forms, surrogates and values past U+10FFFF are
// not valid.
CodePoint code_point_at(std::string_view text, size_t at);

// The code point that ends just before byte `at`; bytes == 0 where there is none.
CodePoint code_point_before(std::string_view text, size_t at);

// Bytes from `at` on up to the first that is not valid UTF-8.
size_t valid_utf8_bytes(std::string_view text, size_t at = 0);

// The longest part of a character that valid UTF-8 could begin with at `at`, or one byte.
struct Utf8Part {
  size_t bytes = 0;
  bool may_go_on = false;  // The text ends here, and more of it could complete the character.
};
// REQUIRES: at < text.size(), and no valid character begins there.
// Source: Unicode 15, section 3.9, "maximal subpart".
Utf8Part utf8_part_at(std::string_view text, size_t at);

void append_utf8(std::string& text, char32_t code_point);

// Unicode's White_Space.
bool is_space(char32_t code_point);
// A letter, mark, number or connector: what `\w` matches.
bool is_word(char32_t code_point);

// Unicode's general category M (mark), S (symbol) or P (punctuation).
bool is_mark(char32_t code_point);
bool is_symbol_or_punctuation(char32_t code_point);

// Lower case, character by character, with the Greek sigma that ends words. Bytes that are not
// UTF-8 stay.
std::string to_lower(std::string_view text);

// The same of each character by itself: every sigma alike, and U+0130 becomes two characters.
std::string lowercase_characters(std::string_view text);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

inline constexpr std::array<std::pair<std::string_view, NormalForm>, 4> kNormalFormNames = {
    {{"NFC", NormalForm::kNfc},
     {"NFD", NormalForm::kNfd},
     {"NFKC", NormalForm::kNfkc},
     {"NFKD", NormalForm::kNfkd}}};

// REQUIRES: `text` is valid UTF-8; what is not comes back as it is.
std::string normalize_unicode(std::string_view text, NormalForm form);

}  // namespace quintet::io
