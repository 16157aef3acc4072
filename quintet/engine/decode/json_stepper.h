// One byte further in one reading of a text.
#pragma once

#include <cstdint>
#include <vector>

#include "quintet/engine/decode/json_state.h"

namespace quintet::decode {

class JsonStepper {
 public:
  using Reading = JsonState::Reading;

  // What follows is added to `out`.
  JsonStepper(const JsonGrammar& grammar, std::vector<Reading>& out)
      : grammar_(grammar), out_(out) {}

  void step(const Reading& at, uint8_t byte);
  // Whether the value that is open may end here without another byte.
  bool may_end(const Reading& at) const;

 private:
  using Position = JsonState::Position;

  void after_space(const Reading& at);
  // The first byte of a value of `node`; `parent` is where the text goes on after it.
  void enter(int32_t node, uint8_t byte, const Reading* parent);
  void enter_choice(int32_t choice, uint8_t byte, Reading inner);
  bool starts(int32_t choice, uint8_t byte) const;
  bool fits(int32_t node, int depth) const {
    return depth + grammar_.node(node).height <= grammar_.value_depth();
  }
  void close(const Reading& at);

  void literal(const Reading& at, uint8_t byte);
  void string(const Reading& at, uint8_t byte);
  void number(const Reading& at, uint8_t byte);
  void object(const Reading& at, uint8_t byte);
  void before_key(const Reading& at, uint8_t byte);
  void key(const Reading& at, uint8_t byte);
  void free_key(const Reading& at, uint8_t byte);
  void array(const Reading& at, uint8_t byte);

  uint32_t last_candidate(const JsonNode& node, uint32_t first) const;
  bool is_candidate(const Reading& at, uint32_t property) const;
  bool has_required(const JsonNode& node, uint32_t first) const;
  bool may_have_key(const Reading& at) const;
  bool may_have_free_key(const Reading& at) const;
  bool may_have_item(const Reading& at) const;
  int32_t item(const JsonNode& node, uint32_t index) const;

  const JsonGrammar& grammar_;
  std::vector<Reading>& out_;
};

}  // namespace quintet::decode
