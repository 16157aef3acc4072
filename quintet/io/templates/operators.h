// Operators on values, as Python has them.
#pragma once

#include <optional>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/io/templates/syntax.h"
#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

// Errors of all: kInvalidArgument where the types do not fit, kExhausted past a limit. Integers
// have 64 bits: what does not fit is kExhausted.

// REQUIRES: `op` is arithmetic.
Result<Value> arithmetic(Budget& budget, Operator op, const Value& a, const Value& b);
Result<Value> negate(const Value& value);

// REQUIRES: `op` compares or is kIn or kNotIn.
Result<bool> compare(Budget& budget, Operator op, const Value& a, const Value& b);

// `object.name` and `object[key]`; undefined where there is none.
Result<Value> attribute(Budget& budget, const Value& object, std::string_view name);
Result<Value> item(Budget& budget, const Value& object, const Value& key);

struct SliceBounds {
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  std::optional<int64_t> step;
};
Result<Value> slice(Budget& budget, const Value& object, const SliceBounds& bounds);

}  // namespace quintet::io::templates
