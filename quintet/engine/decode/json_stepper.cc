#include "quintet/engine/decode/json_stepper.h"

#include <algorithm>
#include <string_view>

namespace quintet::decode {
namespace {

using Kind = JsonNode::Kind;

// Parts of a number, in Reading::second.
enum NumberPart : uint32_t { kMinus, kZero, kWhole, kPoint, kFraction, kE, kSign, kExponent };

bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\t'; }

bool is_whole_number(uint32_t part) {
  return part == kZero || part == kWhole || part == kFraction || part == kExponent;
}

// FNV-1a. Two names of one hash only make one of them impossible in the same object.
uint64_t add_to_hash(uint64_t hash, uint8_t byte) { return (hash ^ byte) * 0x100000001b3; }
constexpr uint64_t kEmptyHash = 0xcbf29ce484222325;

uint64_t hash_of_key(std::string_view quoted) {
  uint64_t hash = kEmptyHash;
  for (const char c : quoted.substr(1, quoted.size() - 2)) {
    hash = add_to_hash(hash, static_cast<uint8_t>(c));
  }
  return hash;
}

// The items of a list that it makes sense to count up to.
uint32_t counted_items(const JsonNode& node) {
  if (node.max != JsonNode::kUnlimited) return node.max;
  return std::max(node.min, static_cast<uint32_t>(node.parts.size()));
}

}  // namespace

void JsonStepper::step(const Reading& at, uint8_t byte) {
  switch (at.position) {
    case Position::kStart: return enter(at.node, byte, nullptr);
    case Position::kDone: return;
    case Position::kLiteral: return literal(at, byte);
    case Position::kString: return string(at, byte);
    case Position::kNumber: return number(at, byte);
    case Position::kKey: return key(at, byte);
    case Position::kFreeKey: return free_key(at, byte);
    case Position::kArrayOpen:
    case Position::kBeforeItem:
    case Position::kAfterItem: return array(at, byte);
    default: return object(at, byte);
  }
}

bool JsonStepper::may_end(const Reading& at) const {
  if (at.position == Position::kNumber) return is_whole_number(at.second);
  if (at.position != Position::kLiteral) return at.position == Position::kDone;
  // The texts are sorted: a whole one stands before those that go on.
  return grammar_.node(at.node).texts[at.first].size() == at.count;
}

void JsonStepper::close(const Reading& at) {
  if (at.parent != nullptr) {
    out_.push_back(at.parent->reading);
    return;
  }
  Reading done;
  done.position = Position::kDone;
  out_.push_back(std::move(done));
}

void JsonStepper::after_space(const Reading& at) {
  if (at.spaces == JsonState::kMaxSpaces) return;
  out_.push_back(at);
  ++out_.back().spaces;
}

bool JsonStepper::starts(int32_t choice, uint8_t byte) const {
  const JsonNode& node = grammar_.node(choice);
  switch (node.kind) {
    case Kind::kString: return byte == '"';
    case Kind::kObject: return byte == '{';
    case Kind::kArray: return byte == '[';
    case Kind::kNumber:
      return (byte == '-' && node.negative) || (byte == '0' && node.zero) ||
             (byte >= '1' && byte <= '9');
    default:
      return std::ranges::any_of(node.texts, [&](const std::string& text) {
        return static_cast<uint8_t>(text.front()) == byte;
      });
  }
}

void JsonStepper::enter(int32_t node, uint8_t byte, const Reading* parent) {
  const int depth = parent == nullptr ? 0 : parent->depth + 1;
  Reading inner;
  inner.depth = static_cast<uint16_t>(depth);
  for (const int32_t choice : grammar_.choices(node)) {
    if (!starts(choice, byte) || !fits(choice, depth)) continue;
    if (parent != nullptr && inner.parent == nullptr) {
      inner.parent =
          std::make_shared<const JsonState::Parent>(JsonState::Parent{*parent, parent->hash()});
    }
    enter_choice(choice, byte, inner);
  }
}

void JsonStepper::enter_choice(int32_t choice, uint8_t byte, Reading inner) {
  inner.node = choice;
  switch (grammar_.node(choice).kind) {
    case Kind::kString: inner.position = Position::kString; break;
    case Kind::kObject: inner.position = Position::kObjectOpen; break;
    case Kind::kArray: inner.position = Position::kArrayOpen; break;
    case Kind::kNumber:
      inner.position = Position::kNumber;
      inner.second = byte == '-' ? kMinus : byte == '0' ? kZero : kWhole;
      inner.count = is_digit(byte) ? 1 : 0;
      break;
    default:
      inner.position = Position::kLiteral;
      inner.second = static_cast<uint32_t>(grammar_.node(choice).texts.size());
      return literal(inner, byte);
  }
  out_.push_back(std::move(inner));
}

void JsonStepper::literal(const Reading& at, uint8_t byte) {
  const auto& texts = grammar_.node(at.node).texts;
  if (may_end(at) && at.parent != nullptr) step(at.parent->reading, byte);
  const auto begin = texts.begin() + at.first;
  const auto end = texts.begin() + at.second;
  const auto next_byte = [&](const std::string& text) {
    return at.count < text.size() ? static_cast<uint8_t>(text[at.count]) : -1;
  };
  const auto first = std::partition_point(
      begin, end, [&](const std::string& text) { return next_byte(text) < byte; });
  const auto last = std::partition_point(
      first, end, [&](const std::string& text) { return next_byte(text) == byte; });
  if (first == last) return;
  if (last - first == 1 && first->size() == at.count + 1) return close(at);
  Reading next = at;
  ++next.count;
  next.first = static_cast<uint32_t>(first - texts.begin());
  next.second = static_cast<uint32_t>(last - texts.begin());
  out_.push_back(std::move(next));
}

void JsonStepper::string(const Reading& at, uint8_t byte) {
  const JsonNode& node = grammar_.node(at.node);
  const StringState state = next_in_string(at.string, byte, Escapes::kAllowed);
  if (state == StringState::kRejected) return;
  if (state == StringState::kClosed) {
    if (at.count >= node.min) close(at);
    return;
  }
  if (at.string == StringState::kPlain && at.count == node.max) return;
  Reading next = at;
  next.string = state;
  if (state == StringState::kPlain) {
    const uint32_t counted = node.max == JsonNode::kUnlimited ? node.min : node.max;
    next.count = std::min(at.count + 1, counted);
  }
  out_.push_back(std::move(next));
}

void JsonStepper::number(const Reading& at, uint8_t byte) {
  constexpr uint32_t kMaxDigits = 18;
  constexpr uint32_t kMaxExponentDigits = 2;
  const JsonNode& node = grammar_.node(at.node);
  if (may_end(at) && at.parent != nullptr) step(at.parent->reading, byte);
  Reading next = at;
  const uint32_t part = at.second;
  if (is_digit(byte)) {
    const bool begins = part == kMinus || part == kPoint || part == kE || part == kSign;
    const uint32_t most = part == kExponent ? kMaxExponentDigits : kMaxDigits;
    if (part == kZero || (!begins && at.count >= most)) return;
    next.count = begins ? 1 : at.count + 1;
    if (part == kMinus) next.second = byte == '0' ? kZero : kWhole;
    if (part == kPoint) next.second = kFraction;
    if (part == kE || part == kSign) next.second = kExponent;
  } else if (byte == '.' && (part == kZero || part == kWhole) && !node.integer) {
    next.second = kPoint;
    next.count = 0;
  } else if ((byte == 'e' || byte == 'E') && is_whole_number(part) && part != kExponent &&
             !node.integer) {
    next.second = kE;
    next.count = 0;
  } else if ((byte == '+' || byte == '-') && part == kE) {
    next.second = kSign;
  } else {
    return;
  }
  out_.push_back(std::move(next));
}

uint32_t JsonStepper::last_candidate(const JsonNode& node, uint32_t first) const {
  const auto count = static_cast<uint32_t>(node.properties.size());
  while (first < count && !node.properties[first].required) ++first;
  return std::min(first + 1, count);
}

bool JsonStepper::has_required(const JsonNode& node, uint32_t first) const {
  return std::any_of(node.properties.begin() + first, node.properties.end(),
                     [](const JsonNode::Property& property) { return property.required; });
}

bool JsonStepper::is_candidate(const Reading& at, uint32_t property) const {
  return fits(grammar_.node(at.node).properties[property].node, at.depth + 1);
}

bool JsonStepper::may_have_free_key(const Reading& at) const {
  const JsonNode& node = grammar_.node(at.node);
  if (at.used != nullptr && at.used->count >= JsonState::kMaxFreeKeys) return false;
  return node.rest != JsonNode::kNone && !has_required(node, at.first) &&
         fits(node.rest, at.depth + 1);
}

bool JsonStepper::may_have_key(const Reading& at) const {
  const uint32_t last = last_candidate(grammar_.node(at.node), at.first);
  for (uint32_t i = at.first; i < last; ++i) {
    if (is_candidate(at, i)) return true;
  }
  return may_have_free_key(at);
}

void JsonStepper::object(const Reading& at, uint8_t byte) {
  const JsonNode& node = grammar_.node(at.node);
  if (at.position == Position::kColon) {
    if (byte != ':') return;
    out_.push_back(at);
    out_.back().position = Position::kBeforeValue;
    return;
  }
  if (is_space(byte)) return after_space(at);
  if (at.position == Position::kBeforeValue) {
    Reading parent = at;
    parent.position = Position::kAfterValue;
    parent.spaces = 0;
    parent.count = 0;
    return enter(static_cast<int32_t>(at.count), byte, &parent);
  }
  const bool may_close =
      at.position == Position::kObjectOpen || at.position == Position::kAfterValue;
  if (byte == '}' && may_close && !has_required(node, at.first)) return close(at);
  if (at.position == Position::kAfterValue) {
    if (byte != ',' || !may_have_key(at)) return;
    out_.push_back(at);
    out_.back().position = Position::kBeforeKey;
    out_.back().spaces = 0;
    return;
  }
  before_key(at, byte);
}

void JsonStepper::before_key(const Reading& at, uint8_t byte) {
  if (byte != '"') return;
  Reading next = at;
  next.spaces = 0;
  next.count = 0;
  next.position = Position::kKey;
  next.second = at.first;
  key(next, byte);
  if (!may_have_free_key(at)) return;
  next.position = Position::kFreeKey;
  next.string = StringState::kPlain;
  next.key_hash = kEmptyHash;
  next.first = static_cast<uint32_t>(grammar_.node(at.node).properties.size());
  next.second = 0;
  out_.push_back(std::move(next));
}

void JsonStepper::key(const Reading& at, uint8_t byte) {
  const auto& properties = grammar_.node(at.node).properties;
  const uint32_t last = last_candidate(grammar_.node(at.node), at.first);
  for (uint32_t i = at.first; i < last; ++i) {
    const std::string& text = properties[i].key;
    const bool goes_on = text.size() > at.count && static_cast<uint8_t>(text[at.count]) == byte &&
                         text.compare(0, at.count, properties[at.second].key, 0, at.count) == 0;
    if (!goes_on || !is_candidate(at, i)) continue;
    Reading next = at;
    next.count = at.count + 1;
    next.second = i;
    if (next.count == text.size()) {
      next.position = Position::kColon;
      next.count = static_cast<uint32_t>(properties[i].node);
      next.first = i + 1;
      next.second = 0;
    }
    out_.push_back(std::move(next));
    return;
  }
}

void JsonStepper::free_key(const Reading& at, uint8_t byte) {
  const JsonNode& node = grammar_.node(at.node);
  const StringState state = next_in_string(at.string, byte, Escapes::kForbidden);
  if (state == StringState::kRejected) return;
  Reading next = at;
  if (state != StringState::kClosed) {
    next.string = state;
    next.key_hash = add_to_hash(at.key_hash, byte);
    out_.push_back(std::move(next));
    return;
  }
  for (const auto* used = at.used.get(); used != nullptr; used = used->before.get()) {
    if (used->key_hash == at.key_hash) return;
  }
  for (const auto& property : node.properties) {
    if (hash_of_key(property.key) == at.key_hash) return;
  }
  next.position = Position::kColon;
  next.string = StringState::kPlain;
  next.used = std::make_shared<const JsonState::UsedKey>(
      JsonState::UsedKey{at.key_hash, at.used == nullptr ? 1 : at.used->count + 1, at.used});
  next.key_hash = 0;
  next.count = static_cast<uint32_t>(node.rest);
  out_.push_back(std::move(next));
}

int32_t JsonStepper::item(const JsonNode& node, uint32_t index) const {
  return index < node.parts.size() ? node.parts[index] : node.rest;
}

bool JsonStepper::may_have_item(const Reading& at) const {
  const JsonNode& node = grammar_.node(at.node);
  const int32_t next = item(node, at.count);
  return at.count < node.max && next != JsonNode::kNone && fits(next, at.depth + 1);
}

void JsonStepper::array(const Reading& at, uint8_t byte) {
  const JsonNode& node = grammar_.node(at.node);
  if (is_space(byte)) return after_space(at);
  const bool may_close = at.position != Position::kBeforeItem;
  if (byte == ']' && may_close && at.count >= node.min) return close(at);
  if (!may_have_item(at)) return;
  if (at.position == Position::kAfterItem) {
    if (byte != ',') return;
    out_.push_back(at);
    out_.back().position = Position::kBeforeItem;
    out_.back().spaces = 0;
    return;
  }
  Reading parent = at;
  parent.position = Position::kAfterItem;
  parent.spaces = 0;
  parent.count = std::min(at.count + 1, counted_items(node));
  enter(item(node, at.count), byte, &parent);
}

}  // namespace quintet::decode
