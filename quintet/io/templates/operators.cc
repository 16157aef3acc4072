#include "quintet/io/templates/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

Error too_large() { return Error(Code::kExhausted, "an integer has more than 64 bits, the limit"); }

Error wrong_types(std::string_view what, const Value& a, const Value& b) {
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return Error(Code::kInvalidArgument, "cannot " + std::string(what) + " " +
                                           std::string(kind_name(a)) + " and " +
                                           std::string(kind_name(b)));
}

std::string_view verb(Operator op) {
  switch (op) {
    case Operator::kAdd: return "add";
    case Operator::kSubtract: return "subtract";
    case Operator::kMultiply: return "multiply";
    default: return "divide";
  }
}

Error zero_divisor() { return Error(Code::kInvalidArgument, "division by zero"); }

Result<Value> floor_divide(int64_t a, int64_t b, bool wants_rest) {
  if (b == 0) return zero_divisor();
  if (b == -1) {  // The quotient of the smallest integer overflows.
    if (wants_rest) return Value(int64_t{0});
    return negate(Value(a));
  }
  int64_t quotient = a / b;
  int64_t rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    --quotient;
    rest += b;
  }
  return Value(wants_rest ? rest : quotient);
}

Result<Value> power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return zero_divisor();
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  // Only -1, 0 and 1 have large powers that fit.
  if (base >= -1 && base <= 1) exponent = exponent == 0 ? 0 : 2 - exponent % 2;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) return too_large();
  }
  return Value(result);
}

Result<Value> integers(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return too_large();
      return Value(result);
    case Operator::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return too_large();
      return Value(result);
    case Operator::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return too_large();
      return Value(result);
    case Operator::kFloorDivide: return floor_divide(a, b, false);
    case Operator::kModulo: return floor_divide(a, b, true);
    case Operator::kPower: return power(a, b);
    default:
      if (b == 0) return zero_divisor();
      return Value(static_cast<double>(a) / static_cast<double>(b));
  }
}

Result<Value> floats(Operator op, double a, double b) {
  const bool divides =
      op == Operator::kDivide || op == Operator::kFloorDivide || op == Operator::kModulo;
  if (divides && b == 0) return zero_divisor();
  double rest = divides ? std::fmod(a, b) : 0;
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  switch (op) {
    case Operator::kAdd: return Value(a + b);
    case Operator::kSubtract: return Value(a - b);
    case Operator::kMultiply: return Value(a * b);
    case Operator::kFloorDivide: return Value(std::floor(a / b));
    case Operator::kModulo: return Value(rest);
    case Operator::kPower: return Value(std::pow(a, b));
    default: return Value(a / b);
  }
}

// A text or list `count` times.
Result<Value> repeat(Budget& budget, const Value& value, int64_t count) {
  const size_t times = count > 0 ? static_cast<size_t>(count) : 0;
  const size_t bytes =
      std::max<size_t>(1, value.is_text() ? value.str().size() : value.list().bytes);
  const size_t limit = std::numeric_limits<size_t>::max() / 2;
  QT_TRY_VOID(budget.allow_value(times > limit / bytes ? limit : times * bytes));
  if (value.is_text()) {
    std::string text;
    for (size_t i = 0; i < times; ++i) text += value.str();
    return make_text(budget, std::move(text));
  }
  std::vector<Value> items;
  for (size_t i = 0; i < times; ++i) {
    items.insert(items.end(), value.list().items.begin(), value.list().items.end());
  }
  return make_list(budget, std::move(items), value.list().kind);
}

bool is_sequence(const Value& value) {
  return value.is_text() ||
         (value.is<Value::ListRef>() && value.list().kind != ListKind::kIterator);
}

Result<Value> join_lists(Budget& budget, const List& a, const List& b) {
  std::vector<Value> items = a.items;
  QT_TRY_VOID(budget.allow_value(a.bytes + b.bytes));
  items.insert(items.end(), b.items.begin(), b.items.end());
  return make_list(budget, std::move(items), a.kind);
}

Result<bool> contains(Budget& budget, const Value& container, const Value& value) {
  QT_TRY_VOID(budget.charge(bytes_of(container)));
  if (container.is_text()) {
    if (!value.is_text()) return wrong_types("look for one in the other:", value, container);
    return find_text(container.str(), value.str()) != std::string::npos;
  }
  if (container.is<Value::DictRef>()) return container.dict().find(value) != nullptr;
  if (container.is_undefined()) return false;
  if (!container.is<Value::ListRef>()) {
    return wrong_types("look for one in the other:", value, container);
  }
  return std::ranges::any_of(container.list().items,
                             [&](const Value& item) { return equal(item, value); });
}

Value loop_attribute(const Loop& loop, std::string_view name) {
  const auto count = static_cast<int64_t>(loop.items->items.size());
  const auto index = static_cast<int64_t>(loop.index);
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(count - index);
  if (name == "revindex0") return Value(count - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == count);
  if (name == "length") return Value(count);
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem" && index > 0) return loop.items->items[loop.index - 1];
  if (name == "nextitem" && index + 1 < count) return loop.items->items[loop.index + 1];
  return Value::undefined(name);
}

// What looking for a name costs: those of a namespace are compared one by one.
size_t bytes_to_search(const Value& object) {
  constexpr size_t kBytesOfName = 4;
  return object.is<Namespace*>() ? kBytesOfName * object.get<Namespace*>()->values.size() : 0;
}

// A value that is inside; nullopt where a method of the same name may stand for it.
std::optional<Value> inner_value(const Value& object, std::string_view name) {
  if (object.is<Value::DictRef>()) {
    if (const Value* value = object.dict().find(name)) return *value;
  } else if (object.is<Namespace*>()) {
    if (const Value* value = object.get<Namespace*>()->find(name)) return *value;
  }
  return std::nullopt;
}

Result<Value> method_or_undefined(const Value& object, std::string_view name) {
  const Builtin* method = find_method(object, name);
  if (method == nullptr) return Value::undefined(name);
  auto callable = std::make_shared<Callable>();
  callable->method = method;
  callable->self = object;
  return Value(Value::CallableRef(std::move(callable)));
}

// Python's index: from the end where it is negative; nullopt outside.
std::optional<size_t> position(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) return std::nullopt;
  return static_cast<size_t>(index);
}

// The positions of a slice, in order. Source: PySlice_AdjustIndices.
std::vector<size_t> slice_positions(const SliceBounds& bounds, size_t count) {
  const auto size = static_cast<int64_t>(count);
  const int64_t step = std::clamp(bounds.step.value_or(1), -size - 1, size + 1);
  const int64_t lowest = step < 0 ? -1 : 0;
  const int64_t highest = step < 0 ? size - 1 : size;
  const auto place = [&](const std::optional<int64_t>& bound, int64_t fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + size : *bound, lowest, highest);
  };
  const int64_t begin = place(bounds.begin, step < 0 ? highest : lowest);
  const int64_t end = place(bounds.end, step < 0 ? lowest : highest);
  std::vector<size_t> positions;
  for (int64_t i = begin; step < 0 ? i > end : i < end; i += step) {
    positions.push_back(static_cast<size_t>(i));
  }
  return positions;
}

}  // namespace

Result<Value> arithmetic(Budget& budget, Operator op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto left = a.integer();
    const auto right = b.integer();
    if (left && right) return integers(op, *left, *right);
    return floats(op, a.number(), b.number());
  }
  if (op == Operator::kAdd && a.is_text() && b.is_text()) {
    QT_TRY_VOID(budget.allow_value(a.str().size() + b.str().size()));
    return Value::text(a.str() + b.str());
  }
  const bool lists = a.is<Value::ListRef>() && b.is<Value::ListRef>();
  if (op == Operator::kAdd && lists && a.list().kind == b.list().kind &&
      a.list().kind != ListKind::kIterator) {
    return join_lists(budget, a.list(), b.list());
  }
  if (op == Operator::kMultiply) {
    if (is_sequence(a) && b.integer()) return repeat(budget, a, *b.integer());
    if (is_sequence(b) && a.integer()) return repeat(budget, b, *a.integer());
  }
  if (op == Operator::kModulo && a.is_text()) {
    return Error(Code::kUnsupported, "'%' after a string is not supported: use '~'");
  }
  return wrong_types(verb(op), a, b);
}

Result<Value> negate(const Value& value) {
  if (value.is<double>()) return Value(-value.get<double>());
  const auto integer = value.integer();
  if (!integer) return wrong_types("negate", value, value);
  if (*integer == std::numeric_limits<int64_t>::min()) return too_large();
  return Value(-*integer);
}

Result<bool> compare(Budget& budget, Operator op, const Value& a, const Value& b) {
  if (op == Operator::kIn) return contains(budget, b, a);
  if (op == Operator::kNotIn) {
    QT_TRY(const bool found, contains(budget, b, a));
    return !found;
  }
  QT_TRY_VOID(budget.charge(std::min(bytes_of(a), bytes_of(b))));
  if (op == Operator::kEqual) return equal(a, b);
  if (op == Operator::kNotEqual) return !equal(a, b);
  QT_TRY(const auto ordering, order(a, b));
  switch (op) {
    case Operator::kLess: return ordering < 0;
    case Operator::kLessEqual: return ordering <= 0;
    case Operator::kGreater: return ordering > 0;
    default: return ordering >= 0;
  }
}

Result<Value> attribute(Budget& budget, const Value& object, std::string_view name) {
  QT_TRY_VOID(budget.charge(bytes_to_search(object)));
  if (object.is_undefined()) return undefined_error(object);
  if (object.is<Value::LoopRef>()) {
    if (find_method(object, name) != nullptr) return method_or_undefined(object, name);
    return loop_attribute(*object.get<Value::LoopRef>(), name);
  }
  if (find_method(object, name) != nullptr) return method_or_undefined(object, name);
  if (auto value = inner_value(object, name)) return *std::move(value);
  return Value::undefined(name);
}

Result<Value> item(Budget& budget, const Value& object, const Value& key) {
  QT_TRY_VOID(budget.charge(bytes_to_search(object)));
  if (object.is_undefined()) return undefined_error(object);
  if (object.is<Value::DictRef>()) {
    if (const Value* value = object.dict().find(key)) return *value;
  }
  if (key.is_text()) {
    if (auto value = inner_value(object, key.str())) return *std::move(value);
    if (object.is<Value::LoopRef>()) return attribute(budget, object, key.str());
    return method_or_undefined(object, key.str());
  }
  const auto index = key.integer();
  if (index && object.is_text()) {
    QT_TRY_VOID(budget.charge(object.str().size()));
    const Characters characters(object.str());
    const auto at = position(*index, characters.size());
    if (at) return Value::text(characters.at(*at));
  }
  if (index && object.is<Value::ListRef>() && object.list().kind != ListKind::kIterator) {
    const auto at = position(*index, object.list().items.size());
    if (at) return object.list().items[*at];
  }
  QT_TRY(const std::string name, to_text(budget, key));
  return Value::undefined(name);
}

Result<Value> slice(Budget& budget, const Value& object, const SliceBounds& bounds) {
  if (object.is_undefined()) return undefined_error(object);
  if (bounds.step == 0) return Error(Code::kInvalidArgument, "the step of a slice is 0");
  QT_TRY_VOID(budget.charge(bytes_of(object)));
  if (object.is_text()) {
    const Characters characters(object.str());
    std::string text;
    for (const size_t i : slice_positions(bounds, characters.size())) text += characters.at(i);
    return make_text(budget, std::move(text));
  }
  if (!is_sequence(object)) {
    return Error(Code::kInvalidArgument, "cannot slice " + std::string(kind_name(object)));
  }
  std::vector<Value> items;
  for (const size_t i : slice_positions(bounds, object.list().items.size())) {
    items.push_back(object.list().items[i]);
  }
  return make_list(budget, std::move(items), object.list().kind);
}

}  // namespace quintet::io::templates
