// What stands after `is`. Source: Jinja 3.1 tests.py.
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/operators.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

template <bool (*Predicate)(const Value&)>
Result<Value> is(Call& call) {
  return Value(Predicate(call.self));
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is<None>(); }
bool is_boolean(const Value& value) { return value.is<bool>(); }
bool is_true(const Value& value) { return value.is<bool>() && value.get<bool>(); }
bool is_false(const Value& value) { return value.is<bool>() && !value.get<bool>(); }
bool is_integer(const Value& value) { return value.is<int64_t>(); }
bool is_float(const Value& value) { return value.is<double>(); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.is<Value::DictRef>(); }
bool is_callable(const Value& value) { return value.is<Value::CallableRef>(); }
bool is_iterable(const Value& value) {
  return value.is_text() || value.is<Value::ListRef>() || value.is<Value::DictRef>() ||
         value.is<Value::LoopRef>() || value.is_undefined();
}
// Has a length and items by number or key, which Python's dictionaries pass too.
bool is_sequence(const Value& value) {
  if (value.is<Value::ListRef>()) return value.list().kind != ListKind::kIterator;
  return value.is_text() || value.is<Value::DictRef>() || value.is_undefined();
}

template <Operator kOperator>
Result<Value> compares(Call& call) {
  QT_TRY(const bool result, compare(call.budget, kOperator, call.self, *call.at[0]));
  return Value(result);
}

Result<Value> same_as(Call& call) {
  const bool same_kind = kind_name(call.self) == kind_name(*call.at[0]);
  return Value(same_kind && equal(call.self, *call.at[0]));
}

Result<Value> divisible(Call& call) {
  QT_TRY(const Value rest, arithmetic(call.budget, Operator::kModulo, call.self, *call.at[0]));
  return Value(!truth(rest));
}

template <bool kOdd>
Result<Value> parity(Call& call) {
  QT_TRY(const Value rest,
         arithmetic(call.budget, Operator::kModulo, call.self, Value(int64_t{2})));
  return Value(rest.is_number() && (rest.number() == 1) == kOdd);
}

// Whether the text has letters of this case and none of the other.
template <std::string (*Map)(std::string_view), std::string (*Opposite)(std::string_view)>
Result<Value> has_case(Call& call) {
  QT_TRY(const std::string text, to_text(call.budget, call.self));
  return Value(Map(text) == text && Opposite(text) != text);
}

constexpr std::array<Builtin, 36> kTests = {{
    {"defined", is<is_defined>},
    {"undefined", is<is_undefined>},
    {"none", is<is_none>},
    {"boolean", is<is_boolean>},
    {"true", is<is_true>},
    {"false", is<is_false>},
    {"integer", is<is_integer>},
    {"float", is<is_float>},
    {"number", is<is_number>},
    {"string", is<is_string>},
    {"mapping", is<is_mapping>},
    {"callable", is<is_callable>},
    {"iterable", is<is_iterable>},
    {"sequence", is<is_sequence>},
    {"equalto", compares<Operator::kEqual>, {"other"}, 1},
    {"eq", compares<Operator::kEqual>, {"other"}, 1},
    {"==", compares<Operator::kEqual>, {"other"}, 1},
    {"ne", compares<Operator::kNotEqual>, {"other"}, 1},
    {"!=", compares<Operator::kNotEqual>, {"other"}, 1},
    {"lt", compares<Operator::kLess>, {"other"}, 1},
    {"lessthan", compares<Operator::kLess>, {"other"}, 1},
    {"<", compares<Operator::kLess>, {"other"}, 1},
    {"le", compares<Operator::kLessEqual>, {"other"}, 1},
    {"<=", compares<Operator::kLessEqual>, {"other"}, 1},
    {"gt", compares<Operator::kGreater>, {"other"}, 1},
    {"greaterthan", compares<Operator::kGreater>, {"other"}, 1},
    {">", compares<Operator::kGreater>, {"other"}, 1},
    {"ge", compares<Operator::kGreaterEqual>, {"other"}, 1},
    {">=", compares<Operator::kGreaterEqual>, {"other"}, 1},
    {"in", compares<Operator::kIn>, {"seq"}, 1},
    {"sameas", same_as, {"other"}, 1},
    {"divisibleby", divisible, {"num"}, 1},
    {"odd", parity<true>},
    {"even", parity<false>},
    {"lower", has_case<lower, upper>},
    {"upper", has_case<upper, lower>},
}};

}  // namespace

const Builtin* find_test(std::string_view name) { return find_builtin(kTests, name); }

}  // namespace quintet::io::templates
