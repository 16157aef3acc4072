#include "quintet/engine/decode/json_state.h"

#include <algorithm>
#include <utility>

#include "quintet/engine/decode/json_stepper.h"

namespace quintet::decode {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {  // Source: the finaliser of MurmurHash3.
  hash = (hash ^ value) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 33);
}

}  // namespace

JsonState::JsonState(const JsonGrammar& grammar) : grammar_(grammar), readings_(1) {
  readings_[0].node = grammar.root();
}

uint64_t JsonState::Reading::hash() const {
  uint64_t value = mix(static_cast<uint64_t>(node), static_cast<uint64_t>(position));
  value = mix(value, static_cast<uint64_t>(string) << 8 | spaces);
  value = mix(value, static_cast<uint64_t>(count) << 32 | first);
  value = mix(value, static_cast<uint64_t>(second) << 32 | depth);
  value = mix(value, key_hash);
  value = mix(value, used == nullptr ? 0 : used->key_hash);
  return mix(value, parent == nullptr ? 0 : parent->hash);
}

bool JsonState::Reading::operator==(const Reading& other) const {
  const bool same = node == other.node && position == other.position && string == other.string &&
                    spaces == other.spaces && depth == other.depth && count == other.count &&
                    first == other.first && second == other.second && key_hash == other.key_hash;
  if (!same) return false;
  const UsedKey* mine = used.get();
  const UsedKey* theirs = other.used.get();
  for (; mine != theirs; mine = mine->before.get(), theirs = theirs->before.get()) {
    if (mine == nullptr || theirs == nullptr || mine->key_hash != theirs->key_hash) return false;
  }
  if (parent == other.parent) return true;
  return parent != nullptr && other.parent != nullptr && parent->hash == other.parent->hash &&
         parent->reading == other.parent->reading;
}

bool JsonState::step(uint8_t byte, JsonState& next) const {
  next.grammar_ = grammar_;
  next.readings_.clear();
  JsonStepper stepper(grammar_, next.readings_);
  for (const Reading& reading : readings_) stepper.step(reading, byte);
  auto& found = next.readings_;
  for (size_t i = 1; i < found.size();) {
    const auto end = found.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(found.begin(), end, found[i]) == end) {
      ++i;
    } else {
      found.erase(end);
    }
  }
  if (found.size() > kMaxReadings) found.resize(kMaxReadings);
  return !found.empty();
}

bool JsonState::accept(std::string_view bytes) {
  JsonState now = *this;
  JsonState next = *this;
  for (const char byte : bytes) {
    if (!now.step(static_cast<uint8_t>(byte), next)) return false;
    std::swap(now, next);
  }
  *this = std::move(now);
  return true;
}

std::bitset<256> JsonState::next_bytes() const {
  std::bitset<256> bytes;
  JsonState next = *this;
  for (int byte = 0; byte < 256; ++byte) {
    bytes[static_cast<size_t>(byte)] = step(static_cast<uint8_t>(byte), next);
  }
  return bytes;
}

bool JsonState::can_end() const {
  std::vector<Reading> unused;
  const JsonStepper stepper(grammar_, unused);
  return std::ranges::any_of(readings_, [&](const Reading& reading) {
    return reading.parent == nullptr && stepper.may_end(reading);
  });
}

std::optional<JsonState::OpenString> JsonState::open_string(uint32_t characters) const {
  std::optional<OpenString> place;
  for (const Reading& reading : readings_) {
    const JsonNode& node = grammar_.node(reading.node);
    if (reading.position == Position::kString) {
      const bool roomy = node.max == JsonNode::kUnlimited || node.max - reading.count > characters;
      if (roomy) return OpenString{reading.string, Escapes::kAllowed};
    } else if (reading.position == Position::kFreeKey) {
      place = OpenString{reading.string, Escapes::kForbidden};
    } else if (reading.position == Position::kKey && !node.plain_keys) {
      return std::nullopt;  // A name goes on with a backslash, where a free one cannot.
    }
  }
  return place;
}

uint64_t JsonState::hash() const {
  uint64_t value = 0;
  for (const Reading& reading : readings_) value = mix(value, reading.hash());
  return value;
}

bool JsonState::operator==(const JsonState& other) const { return readings_ == other.readings_; }

}  // namespace quintet::decode
