// The inside of a JSON string, byte by byte.
#pragma once

#include <cstdint>

namespace quintet::decode {

// Where a string stands after some of its bytes. Source: RFC 8259, section 7; RFC 3629, section 4.
enum class StringState : uint8_t {
  kPlain,       // Between characters.
  kEscape,      // After a backslash.
  kHex1,        // Four digits after \u follow.
  kHex2,        //
  kHex2AfterD,  // The second digit must not make a surrogate.
  kHex3,        //
  kHex4,        //
  kTail1,       // So many more bytes of a character.
  kTail2,       //
  kTail3,       //
  kAfterE0,     // Second bytes that are bounded by the first.
  kAfterEd,     //
  kAfterF0,     //
  kAfterF4,     //
  kClosed,      // After the quote that ends it.
  kRejected,
};
inline constexpr int kOpenStringStates = static_cast<int>(StringState::kClosed);

enum class Escapes : uint8_t { kAllowed, kForbidden };

// Control characters must be escaped, and \ud800 to \udfff are refused: what they spell can be
// written plainly.
StringState next_in_string(StringState state, uint8_t byte, Escapes escapes);

}  // namespace quintet::decode
