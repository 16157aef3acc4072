// Expressions of the interpreter.
#include <algorithm>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/date.h"
#include "quintet/io/templates/interpreter.h"
#include "quintet/io/templates/operators.h"

namespace quintet::io::templates {

using Kind = Expression::Kind;

Result<Value> Interpreter::evaluate(const Expression& expression) {
  const Budget::Level level(budget_);
  QT_TRY_VOID(at(expression.line, budget_.check_depth()));
  QT_TRY_VOID(at(expression.line, budget_.charge()));
  return evaluate_inner(expression);
}

Result<Value> Interpreter::evaluate_inner(const Expression& expression) {
  switch (expression.kind) {
    case Kind::kConstant: return expression.value;
    case Kind::kName: return look_up(expression.line, expression.name);
    case Kind::kList:
    case Kind::kTuple: return sequence(expression);
    case Kind::kDict: return dictionary(expression);
    case Kind::kNegate:
    case Kind::kPlus:
    case Kind::kNot: return unary(expression);
    case Kind::kAnd:
    case Kind::kOr: return and_or(expression);
    case Kind::kBinary: return binary(expression);
    case Kind::kCompare: return comparison(expression);
    case Kind::kConcat: return concatenation(expression);
    case Kind::kConditional: return conditional(expression);
    case Kind::kAttribute: return attribute_of(expression);
    case Kind::kItem: return item_of(expression);
    case Kind::kSlice: return slice_of(expression);
    case Kind::kFilter: return filtered(expression);
    case Kind::kTest: return tested(expression);
    case Kind::kCall: return call(expression);
  }
  return at(expression.line, Error(Code::kInternal, "an expression of an unknown kind"));
}

Result<Value> Interpreter::sequence(const Expression& expression) {
  std::vector<Value> items;
  for (const ExpressionRef& part : expression.parts) {
    QT_TRY(Value item, evaluate(*part));
    items.push_back(std::move(item));
  }
  const ListKind kind = expression.kind == Kind::kList ? ListKind::kList : ListKind::kTuple;
  return at(expression.line, make_list(budget_, std::move(items), kind));
}

Result<Value> Interpreter::dictionary(const Expression& expression) {
  std::vector<std::pair<Value, Value>> items;
  for (size_t i = 0; i < expression.parts.size(); i += 2) {
    QT_TRY(Value key, evaluate(*expression.parts[i]));
    QT_TRY(Value value, evaluate(*expression.parts[i + 1]));
    items.emplace_back(std::move(key), std::move(value));
  }
  return at(expression.line, make_dict(budget_, std::move(items)));
}

Result<Value> Interpreter::unary(const Expression& expression) {
  QT_TRY(const Value operand, evaluate(*expression.parts[0]));
  if (expression.kind == Kind::kNot) return Value(!truth(operand));
  QT_TRY(Value negative, at(expression.line, negate(operand)));
  if (expression.kind == Kind::kNegate) return negative;
  return at(expression.line, negate(negative));
}

Result<Value> Interpreter::and_or(const Expression& expression) {
  QT_TRY(Value left, evaluate(*expression.parts[0]));
  if (truth(left) == (expression.kind == Kind::kOr)) return left;
  return evaluate(*expression.parts[1]);
}

Result<Value> Interpreter::binary(const Expression& expression) {
  QT_TRY(const Value left, evaluate(*expression.parts[0]));
  QT_TRY(const Value right, evaluate(*expression.parts[1]));
  return at(expression.line, arithmetic(budget_, expression.operators[0], left, right));
}

Result<Value> Interpreter::comparison(const Expression& expression) {
  QT_TRY(Value left, evaluate(*expression.parts[0]));
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    QT_TRY(Value right, evaluate(*expression.parts[i + 1]));
    QT_TRY(const bool holds,
           at(expression.line, compare(budget_, expression.operators[i], left, right)));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::concatenation(const Expression& expression) {
  std::string out;
  for (const ExpressionRef& part : expression.parts) {
    QT_TRY(const Value value, evaluate(*part));
    QT_TRY(const std::string text, at(part->line, to_text(budget_, value)));
    if (out.size() + text.size() > program_.limits.value_bytes) {
      QT_TRY_VOID(at(part->line, budget_.allow_value(out.size() + text.size())));
    }
    out += text;
  }
  return at(expression.line, make_text(budget_, std::move(out)));
}

Result<Value> Interpreter::conditional(const Expression& expression) {
  QT_TRY(const Value condition, evaluate(*expression.parts[0]));
  if (truth(condition)) return evaluate(*expression.parts[1]);
  if (expression.parts[2] == nullptr) return Value::undefined("the value without an 'else'");
  return evaluate(*expression.parts[2]);
}

Result<Value> Interpreter::attribute_of(const Expression& expression) {
  QT_TRY(const Value object, evaluate(*expression.parts[0]));
  return at(expression.line, attribute(budget_, object, expression.name));
}

Result<Value> Interpreter::item_of(const Expression& expression) {
  QT_TRY(const Value object, evaluate(*expression.parts[0]));
  QT_TRY(const Value key, evaluate(*expression.parts[1]));
  return at(expression.line, item(budget_, object, key));
}

Result<Value> Interpreter::slice_of(const Expression& expression) {
  QT_TRY(const Value object, evaluate(*expression.parts[0]));
  SliceBounds bounds;
  std::optional<int64_t>* const targets[] = {&bounds.begin, &bounds.end, &bounds.step};
  for (size_t i = 0; i < 3; ++i) {
    const Expression* part = expression.parts[i + 1].get();
    if (part == nullptr) continue;
    QT_TRY(const Value value, evaluate(*part));
    if (value.is<None>()) continue;
    *targets[i] = value.integer();
    if (!*targets[i]) {
      return at(part->line,
                Error(Code::kInvalidArgument,
                      "expected an integer in the slice, found " + std::string(kind_name(value))));
    }
  }
  return at(expression.line, slice(budget_, object, bounds));
}

Result<Arguments> Interpreter::arguments(const Expression& expression) {
  Arguments arguments;
  const size_t first_keyword = expression.parts.size() - expression.keywords.size();
  for (size_t i = 1; i < expression.parts.size(); ++i) {
    QT_TRY(Value value, evaluate(*expression.parts[i]));
    if (i < first_keyword) {
      arguments.positional.push_back(std::move(value));
    } else {
      arguments.named.emplace_back(expression.keywords[i - first_keyword], std::move(value));
    }
  }
  return arguments;
}

Result<Value> Interpreter::filtered(const Expression& expression) {
  Value input = filter_input_;
  if (expression.parts[0] != nullptr) {
    QT_TRY(input, evaluate(*expression.parts[0]));
  }
  QT_TRY(const Arguments values, arguments(expression));
  return at(expression.line, run_filter(budget_, expression.name, input, values));
}

Result<Value> Interpreter::tested(const Expression& expression) {
  QT_TRY(const Value input, evaluate(*expression.parts[0]));
  QT_TRY(const Arguments values, arguments(expression));
  QT_TRY(const bool holds, at(expression.line, run_test(budget_, expression.name, input, values)));
  return Value(holds);
}

Result<Value> Interpreter::call(const Expression& expression) {
  QT_TRY(const Value callee, evaluate(*expression.parts[0]));
  if (callee.is_undefined()) return at(expression.line, undefined_error(callee));
  if (!callee.is<Value::CallableRef>()) {
    return at(expression.line,
              Error(Code::kInvalidArgument, std::string(kind_name(callee)) + " cannot be called"));
  }
  QT_TRY(Arguments values, arguments(expression));
  const Callable& target = *callee.get<Value::CallableRef>();
  if (target.macro != nullptr) return call_macro(expression, target, values);
  if (target.method != nullptr) {
    return at(expression.line, run_builtin(*target.method, budget_, target.self, values));
  }
  return at(expression.line, call_function(target.function, std::move(values)));
}

Result<Value> Interpreter::call_function(const std::string& name, Arguments arguments) {
  if (name == "namespace") return make_namespace(std::move(arguments));
  if (name == "range") return range(arguments);
  if (name == "dict") return dict(std::move(arguments));
  if (name == "strftime_now") return date(arguments);
  return raise(arguments);
}

// The items of a first dictionary, then the named arguments.
Result<Value> Interpreter::dict(Arguments arguments) {
  std::vector<std::pair<Value, Value>> items;
  if (!arguments.positional.empty()) {
    if (arguments.positional.size() > 1 || !arguments.positional[0].is<Value::DictRef>()) {
      return Error(Code::kInvalidArgument, "expected one dictionary and arguments with names");
    }
    items = arguments.positional[0].dict().items;
  }
  for (auto& [name, value] : arguments.named) {
    items.emplace_back(Value::text(std::move(name)), std::move(value));
  }
  return make_dict(budget_, std::move(items));
}

Result<Value> Interpreter::make_namespace(Arguments arguments) {
  QT_TRY(const Value values, dict(std::move(arguments)));
  Namespace names;
  for (const auto& [name, value] : values.dict().items) {
    if (!name.is_text() || name.str().starts_with('_')) {
      return Error(Code::kInvalidArgument,
                   "a name in a namespace must be a string that does not begin with '_'");
    }
    names.values.emplace_back(name.str(), value);
  }
  namespaces_.push_back(std::move(names));
  return Value(&namespaces_.back());
}

Result<Value> Interpreter::range(const Arguments& arguments) {
  std::vector<int64_t> bounds;
  for (const Value& value : arguments.positional) {
    const auto integer = value.integer();
    if (!integer) {
      return Error(Code::kInvalidArgument,
                   "'range' takes integers, found " + std::string(kind_name(value)));
    }
    bounds.push_back(*integer);
  }
  if (bounds.empty() || bounds.size() > 3 || !arguments.named.empty()) {
    return Error(Code::kInvalidArgument, "'range' takes one to three integers");
  }
  const int64_t begin = bounds.size() > 1 ? bounds[0] : 0;
  const int64_t end = bounds.size() > 1 ? bounds[1] : bounds[0];
  const int64_t step = bounds.size() > 2 ? bounds[2] : 1;
  if (step == 0) return Error(Code::kInvalidArgument, "the step of 'range' is 0");
  constexpr size_t kMaxRange = 100'000;  // Jinja's sandbox has the same.
  std::vector<Value> items;
  int64_t at = begin;
  while (step > 0 ? at < end : at > end) {
    if (items.size() == kMaxRange) {
      return Error(Code::kExhausted,
                   "'range' has more than " + std::to_string(kMaxRange) + " items, the limit");
    }
    items.push_back(Value(at));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return make_list(budget_, std::move(items));
}

Result<Value> Interpreter::date(const Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.positional[0].is_text()) {
    return Error(Code::kInvalidArgument, "'strftime_now' takes the format of the date");
  }
  if (!now_) return Error(Code::kInvalidArgument, "the template asks for the date: give it one");
  QT_TRY(std::string text, format_date(*now_, arguments.positional[0].str()));
  return make_text(budget_, std::move(text));
}

Result<Value> Interpreter::raise(const Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.positional[0].is_text()) {
    return Error(Code::kInvalidArgument, "the template refuses the conversation");
  }
  return Error(Code::kInvalidArgument, "the template refuses the conversation: " +
                                           in_quotes(arguments.positional[0].str()));
}

}  // namespace quintet::io::templates
