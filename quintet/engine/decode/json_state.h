// How far a JSON text has come, and which bytes may follow.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quintet/engine/decode/json_grammar.h"
#include "quintet/engine/decode/json_string.h"

namespace quintet::decode {

// A place in a text of a grammar. White space may stand inside objects and lists, never more than
// kMaxSpaces in a row; properties come in the schema's order, each name once, others last; numbers
// have at most 18 digits before the point, 18 after it and 2 in the exponent, so that every reader
// of JSON can hold them; an object has at most kMaxFreeKeys names of its own choice. Every text
// that is accepted can be completed.
//
// Where a schema's alternatives begin alike, all of them are followed at once, up to kMaxReadings;
// further ones are left out, which makes fewer texts possible and none wrong.
class JsonState {
 public:
  static constexpr int kMaxSpaces = 40;
  static constexpr uint32_t kMaxFreeKeys = 1000;
  static constexpr size_t kMaxReadings = 64;

  // Before the first byte.
  explicit JsonState(const JsonGrammar& grammar);

  // Goes on over `bytes` if they may follow; else false, and nothing changes.
  bool accept(std::string_view bytes);
  // Whether `byte` may follow; then `next` is the state after it. `next` may not be *this.
  bool step(uint8_t byte, JsonState& next) const;
  std::bitset<256> next_bytes() const;
  // Whether the text is whole.
  bool can_end() const;

  // Where the text is inside a string that any number of characters may still be added to.
  // `characters` of them at least.
  struct OpenString {
    StringState state = StringState::kPlain;
    Escapes escapes = Escapes::kAllowed;
  };
  std::optional<OpenString> open_string(uint32_t characters) const;

  uint64_t hash() const;
  bool operator==(const JsonState& other) const;

 private:
  friend class JsonStepper;

  enum class Position : uint8_t {
    kStart,        // Before the whole text.
    kDone,         // After it.
    kLiteral,      // count: bytes read; first, second: the texts that begin so.
    kString,       // string; count: characters read, no more of them than matter.
    kNumber,       // second: the part of the number; count: digits of it.
    kObjectOpen,   // After the brace.
    kBeforeKey,    // After a comma.
    kKey,          // count: bytes read; second: a property whose key begins so.
    kFreeKey,      // string; key_hash.
    kColon,        // After the key; count: the node of the value.
    kBeforeValue,  // After the colon; count: the node of the value.
    kAfterValue,   // In all of these first: the first property that may follow.
    kArrayOpen,    // After the bracket.
    kBeforeItem,   // After a comma.
    kAfterItem,    // In these three count: items read, no more of them than matter.
  };

  struct Parent;
  struct UsedKey;

  // One value that is open, and those around it.
  struct Reading {
    int32_t node = 0;
    Position position = Position::kStart;
    StringState string = StringState::kPlain;
    uint8_t spaces = 0;
    uint16_t depth = 0;  // Containers around.
    uint32_t count = 0;
    uint32_t first = 0;
    uint32_t second = 0;
    uint64_t key_hash = 0;
    std::shared_ptr<const UsedKey> used;   // Free keys of this object.
    std::shared_ptr<const Parent> parent;  // Null: the whole text.

    uint64_t hash() const;
    bool operator==(const Reading& other) const;
  };
  struct Parent {
    Reading reading;
    uint64_t hash = 0;
  };
  struct UsedKey {
    uint64_t key_hash = 0;
    uint32_t count = 1;  // This one and those before.
    std::shared_ptr<const UsedKey> before;
  };

  JsonGrammar grammar_;
  std::vector<Reading> readings_;
};

}  // namespace quintet::decode
