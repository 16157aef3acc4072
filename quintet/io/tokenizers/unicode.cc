#include "quintet/io/tokenizers/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace quintet::io {
namespace {

utf8proc_category_t category_of(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

}  // namespace

CodePoint code_point_at(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes > text.size() - at) return {};
  char32_t value = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  const char32_t smallest = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {};
  return {value, bytes};
}

CodePoint code_point_before(std::string_view text, size_t at) {
  for (size_t bytes = 1; bytes <= std::min<size_t>(4, at); ++bytes) {
    const CodePoint c = code_point_at(text, at - bytes);
    if (c.bytes == bytes) return c;
  }
  return {};
}

size_t valid_utf8_bytes(std::string_view text, size_t at) {
  size_t end = at;
  while (const size_t bytes = code_point_at(text, end).bytes) end += bytes;
  return end - at;
}

Utf8Part utf8_part_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  size_t bytes = 1;
  for (; bytes < whole && at + bytes < text.size(); ++bytes) {
    // Overlong forms, surrogates and values past U+10FFFF show in the second byte.
    const bool second = bytes == 1;
    const unsigned char least = second && first == 0xe0   ? 0xa0
                                : second && first == 0xf0 ? 0x90
                                                          : 0x80;
    const unsigned char most = second && first == 0xed   ? 0x9f
                               : second && first == 0xf4 ? 0x8f
                                                         : 0xbf;
    if (byte(bytes) < least || byte(bytes) > most) return {bytes, false};
  }
  return {bytes, true};
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto push = [&](char32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (code_point < 0x80) return push(code_point);
  if (code_point < 0x800) {
    push(0xc0 | (code_point >> 6));
  } else {
    if (code_point < 0x10000) {
      push(0xe0 | (code_point >> 12));
    } else {
      push(0xf0 | (code_point >> 18));
      push(0x80 | ((code_point >> 12) & 0x3f));
    }
    push(0x80 | ((code_point >> 6) & 0x3f));
  }
  push(0x80 | (code_point & 0x3f));
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_word(char32_t code_point) {
  const utf8proc_category_t category = category_of(code_point);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC;
}

bool is_mark(char32_t code_point) {
  const utf8proc_category_t category = category_of(code_point);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_symbol_or_punctuation(char32_t code_point) {
  const utf8proc_category_t category = category_of(code_point);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_SO;
}

std::string to_lower(std::string_view text) {
  constexpr char32_t kSigma = U'\u03a3';
  constexpr char32_t kFinalSigma = U'\u03c2';
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (c.bytes == 0) {
      out += text[at++];
      continue;
    }
    const bool ends_word = c.value == kSigma && is_word(code_point_before(text, at).value) &&
                           !is_word(code_point_at(text, at + c.bytes).value);
    append_utf8(out, ends_word ? kFinalSigma
                               : static_cast<char32_t>(
                                     utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    at += c.bytes;
  }
  return out;
}

std::string lowercase_characters(std::string_view text) {
  constexpr char32_t kCapitalIWithDot = U'\u0130';
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (c.bytes == 0) {
      out += text[at++];
      continue;
    }
    if (c.value == kCapitalIWithDot) {
      out += "i\u0307";
    } else {
      append_utf8(out,
                  static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    at += c.bytes;
  }
  return out;
}

std::string normalize_unicode(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  const bool compose = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  options |= compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;

  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t bytes = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &mapped, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (bytes < 0) return std::string(text);
  return std::string(reinterpret_cast<const char*>(mapped), static_cast<size_t>(bytes));
}

}  // namespace quintet::io
