// The `attribute` argument of filters: "role", "function.name", "0" or 0.
#pragma once

#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

class ItemPath {
 public:
  ItemPath() = default;  // To the value itself.

  // null or none stands for the value itself. Errors: kInvalidArgument.
  static Result<ItemPath> parse(const Value* attribute);

  // Undefined where there is none; with a fallback each step that leads nowhere gives that, as in
  // Jinja. Errors: kInvalidArgument where a step on the way is undefined.
  Result<Value> follow(Budget& budget, const Value& value, const Value* fallback = nullptr) const;

 private:
  std::vector<Value> keys_;
};

}  // namespace quintet::io::templates
