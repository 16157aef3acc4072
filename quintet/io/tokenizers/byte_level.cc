#include "quintet/io/tokenizers/byte_level.h"

#include <array>
#include <cstdint>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes take the code points from 256 on.
constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int16_t, 256 + 68> byte{};

  constexpr Alphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const char32_t c = stands_for_itself(b) ? static_cast<char32_t>(b) : next++;
      character[static_cast<size_t>(b)] = c;
      byte[c] = static_cast<int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string text;
  for (const char b : bytes) append_utf8(text, kAlphabet.character[static_cast<unsigned char>(b)]);
  return text;
}

std::optional<std::string> bytes_from_alphabet(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (c.bytes == 0 || c.value >= kAlphabet.byte.size() || kAlphabet.byte[c.value] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.byte[c.value]));
    at += c.bytes;
  }
  return bytes;
}

}  // namespace quintet::io
