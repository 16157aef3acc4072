// Values of templates, with the meaning that Python gives them. Immutable, except namespaces.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/budget.h"

namespace quintet::io::templates {

class Value;
struct List;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;

struct Undefined {
  std::shared_ptr<const std::string> name;  // What was asked for; null where nothing was.
};
struct None {};

class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using ListRef = std::shared_ptr<const List>;
  using DictRef = std::shared_ptr<const Dict>;
  using CallableRef = std::shared_ptr<const Callable>;
  using LoopRef = std::shared_ptr<const Loop>;
  // A namespace belongs to the rendering, so that one which holds itself is freed too.
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, ListRef, DictRef,
                            Namespace*, CallableRef, LoopRef>;

  Value() = default;  // Undefined.
  template <typename T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Value>)
  explicit Value(T&& data) : data_(std::forward<T>(data)) {}

  static Value none() { return Value(None{}); }
  static Value text(std::string text) {
    return Value(Text(std::make_shared<const std::string>(std::move(text))));
  }
  static Value text(std::string_view text) { return Value::text(std::string(text)); }
  static Value text(const char* text) { return Value::text(std::string(text)); }
  static Value undefined(std::string_view name) {
    return Value(Undefined{std::make_shared<const std::string>(name)});
  }

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  // REQUIRES: is<T>().
  template <typename T>
  const T& get() const {
    return std::get<T>(data_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_text() const { return is<Text>(); }
  bool is_number() const { return is<int64_t>() || is<double>() || is<bool>(); }
  // REQUIRES: is_text().
  const std::string& str() const { return *get<Text>(); }
  // REQUIRES: the value is a list or a dictionary.
  const List& list() const { return *get<ListRef>(); }
  const Dict& dict() const { return *get<DictRef>(); }
  // A boolean or an integer as an integer.
  std::optional<int64_t> integer() const;
  // Any number. REQUIRES: is_number().
  double number() const;

 private:
  Data data_;
};

enum class ListKind : uint8_t {
  kList,
  kTuple,
  kIterator,  // Always true and without a length, as Python's generators are.
};

struct List {
  std::vector<Value> items;
  ListKind kind = ListKind::kList;
  int depth = 1;     // Of the deepest value inside, itself included.
  size_t bytes = 0;  // Of everything inside, counted as often as it is reached.
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;     // In the order of insertion.
  std::unordered_map<std::string, size_t> index;  // From key_text().
  int depth = 1;
  size_t bytes = 0;

  // nullptr where there is none. A key that cannot be one is not there either.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> values;
  Value* find(std::string_view name);
};

struct Loop {
  Value::ListRef items;
  size_t index = 0;  // Of the current item; moves while the loop runs.
};

struct Builtin;
struct MacroStatement;

// Something to call: exactly one of the three is set.
struct Callable {
  const Builtin* method = nullptr;
  Value self;  // Of the method.
  std::string function;
  const MacroStatement* macro = nullptr;
  size_t scope = 0;  // Where the macro was defined.
};

// Errors of these three: kExhausted where the value would be too large or too deep.
Result<Value> make_text(Budget& budget, std::string text);
Result<Value> make_list(Budget& budget, std::vector<Value> items, ListKind kind = ListKind::kList);
// The last of equal keys wins, at the place of the first. Errors also: kInvalidArgument where a key
// cannot be one.
Result<Value> make_dict(Budget& budget, std::vector<std::pair<Value, Value>> items);

// For messages: "a string", "an undefined value".
std::string_view kind_name(const Value& value);
// "'x' is undefined". REQUIRES: is_undefined().
Error undefined_error(const Value& value);

bool truth(const Value& value);
int depth_of(const Value& value);
size_t bytes_of(const Value& value);
bool equal(const Value& a, const Value& b);
// Errors: kInvalidArgument where the two have no order.
Result<std::partial_ordering> order(const Value& a, const Value& b);

// What printing gives: Python's str().
Result<std::string> to_text(Budget& budget, const Value& value);

// What a loop goes over: items of a list, keys of a dictionary, characters of a text, nothing of
// an undefined value. Errors: kInvalidArgument for all others.
Result<std::vector<Value>> iterate(Budget& budget, const Value& value);

}  // namespace quintet::io::templates
