#include "quintet/engine/decode/json_string.h"

#include <string_view>

namespace quintet::decode {
namespace {

bool is_hex(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
         (byte >= 'A' && byte <= 'F');
}

StringState plain(uint8_t byte, Escapes escapes) {
  if (byte == '"') return StringState::kClosed;
  if (byte == '\\') {
    return escapes == Escapes::kAllowed ? StringState::kEscape : StringState::kRejected;
  }
  if (byte < 0x20 || byte > 0xf4) return StringState::kRejected;
  if (byte < 0x80) return StringState::kPlain;
  if (byte < 0xc2) return StringState::kRejected;
  if (byte < 0xe0) return StringState::kTail1;
  if (byte == 0xe0) return StringState::kAfterE0;
  if (byte == 0xed) return StringState::kAfterEd;
  if (byte < 0xf0) return StringState::kTail2;
  if (byte == 0xf0) return StringState::kAfterF0;
  return byte == 0xf4 ? StringState::kAfterF4 : StringState::kTail3;
}

StringState escape(uint8_t byte) {
  if (byte == 'u') return StringState::kHex1;
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  return kLetters.find(static_cast<char>(byte)) != std::string_view::npos ? StringState::kPlain
                                                                          : StringState::kRejected;
}

StringState between(uint8_t byte, uint8_t low, uint8_t high, StringState next) {
  return byte >= low && byte <= high ? next : StringState::kRejected;
}

StringState after_digit(uint8_t byte, StringState next) {
  return is_hex(byte) ? next : StringState::kRejected;
}

}  // namespace

StringState next_in_string(StringState state, uint8_t byte, Escapes escapes) {
  switch (state) {
    case StringState::kPlain: return plain(byte, escapes);
    case StringState::kEscape: return escape(byte);
    case StringState::kHex1:
      return after_digit(
          byte, byte == 'd' || byte == 'D' ? StringState::kHex2AfterD : StringState::kHex2);
    case StringState::kHex2: return after_digit(byte, StringState::kHex3);
    case StringState::kHex2AfterD: return between(byte, '0', '7', StringState::kHex3);
    case StringState::kHex3: return after_digit(byte, StringState::kHex4);
    case StringState::kHex4: return after_digit(byte, StringState::kPlain);
    case StringState::kTail1: return between(byte, 0x80, 0xbf, StringState::kPlain);
    case StringState::kTail2: return between(byte, 0x80, 0xbf, StringState::kTail1);
    case StringState::kTail3: return between(byte, 0x80, 0xbf, StringState::kTail2);
    case StringState::kAfterE0: return between(byte, 0xa0, 0xbf, StringState::kTail1);
    case StringState::kAfterEd: return between(byte, 0x80, 0x9f, StringState::kTail1);
    case StringState::kAfterF0: return between(byte, 0x90, 0xbf, StringState::kTail2);
    case StringState::kAfterF4: return between(byte, 0x80, 0x8f, StringState::kTail2);
    default: return StringState::kRejected;
  }
}

}  // namespace quintet::decode
