#include "quintet/io/templates/value.h"

#include <algorithm>
#include <cmath>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

constexpr size_t kValueBytes = 32;  // What a value takes in a list, about.

// How a key stands in the index: equal values have equal texts. nullopt: not a key.
std::string key_text(std::string_view key) { return std::string("s").append(key); }
std::optional<std::string> key_text(const Value& key) {
  if (key.is_text()) return key_text(key.str());
  if (const auto integer = key.integer()) return std::string("n").append(std::to_string(*integer));
  if (key.is<None>()) return std::string("0");
  if (!key.is<double>()) return std::nullopt;
  const double number = key.get<double>();
  constexpr double kExact = 9007199254740992.0;  // 2^53: integers up to it are exact.
  const bool whole = std::abs(number) <= kExact && number == std::trunc(number);
  return std::string("n").append(whole ? std::to_string(static_cast<int64_t>(number))
                                       : float_text(number));
}

Error too_deep(const Budget& budget) {
  return Error(Code::kExhausted, "nests values deeper than " +
                                     std::to_string(budget.limits().value_depth) + ", the limit");
}

// Python's repr(). Bounded by what the value weighs, which the caller has paid for.
void append_repr(std::string& out, const Value& value);

void append_list(std::string& out, const List& list) {
  out += list.kind == ListKind::kTuple ? '(' : '[';
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, list.items[i]);
  }
  if (list.kind == ListKind::kTuple && list.items.size() == 1) out += ',';
  out += list.kind == ListKind::kTuple ? ')' : ']';
}

void append_dict(std::string& out, const Dict& dict) {
  out += '{';
  for (size_t i = 0; i < dict.items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, dict.items[i].first);
    out += ": ";
    append_repr(out, dict.items[i].second);
  }
  out += '}';
}

void append_plain(std::string& out, const Value& value) {
  if (value.is_undefined()) return;
  if (value.is<None>()) {
    out += "None";
  } else if (value.is<bool>()) {
    out += value.get<bool>() ? "True" : "False";
  } else if (value.is<int64_t>()) {
    out += std::to_string(value.get<int64_t>());
  } else if (value.is<double>()) {
    out += float_text(value.get<double>());
  } else if (value.is_text()) {
    out += value.str();
  } else if (value.is<Value::ListRef>()) {
    append_list(out, value.list());
  } else if (value.is<Value::DictRef>()) {
    append_dict(out, value.dict());
  } else {
    out += '<';
    out += kind_name(value);
    out += '>';
  }
}

void append_repr(std::string& out, const Value& value) {
  if (value.is_text()) {
    append_quoted(out, value.str());
  } else if (value.is_undefined()) {
    out += "Undefined";
  } else {
    append_plain(out, value);
  }
}

bool equal_lists(const List& a, const List& b) {
  return a.kind == b.kind && a.kind != ListKind::kIterator &&
         std::ranges::equal(a.items, b.items, equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.items.size() != b.items.size()) return false;
  return std::ranges::all_of(a.items, [&](const auto& item) {
    const Value* other = b.find(item.first);
    return other != nullptr && equal(item.second, *other);
  });
}

// Wide enough to compare integers of 64 bits with floats.
long double wide(const Value& value) {
  if (const auto integer = value.integer()) return static_cast<long double>(*integer);
  return static_cast<long double>(value.get<double>());
}

Result<std::partial_ordering> order_lists(const List& a, const List& b) {
  for (size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i) {
    if (!equal(a.items[i], b.items[i])) return order(a.items[i], b.items[i]);
  }
  return std::partial_ordering(a.items.size() <=> b.items.size());
}

}  // namespace

std::optional<int64_t> Value::integer() const {
  if (is<int64_t>()) return get<int64_t>();
  if (is<bool>()) return get<bool>() ? 1 : 0;
  return std::nullopt;
}

double Value::number() const {
  if (const auto value = integer()) return static_cast<double>(*value);
  return get<double>();
}

const Value* Dict::find(const Value& key) const {
  const auto text = key_text(key);
  if (!text) return nullptr;
  const auto place = index.find(*text);
  return place == index.end() ? nullptr : &items[place->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto place = index.find(key_text(key));
  return place == index.end() ? nullptr : &items[place->second].second;
}

Value* Namespace::find(std::string_view name) {
  const auto place = std::ranges::find(
      values, name, [](const auto& value) -> std::string_view { return value.first; });
  return place == values.end() ? nullptr : &place->second;
}

Result<Value> make_text(Budget& budget, std::string text) {
  QT_TRY_VOID(budget.allow_value(text.size()));
  return Value::text(std::move(text));
}

Result<Value> make_list(Budget& budget, std::vector<Value> items, ListKind kind) {
  auto list = std::make_shared<List>();
  list->kind = kind;
  for (const Value& item : items) {
    list->depth = std::max(list->depth, 1 + depth_of(item));
    list->bytes += bytes_of(item);
    if (list->bytes > budget.limits().value_bytes) break;
  }
  QT_TRY_VOID(budget.allow_value(list->bytes));
  if (list->depth > budget.limits().value_depth) return too_deep(budget);
  list->items = std::move(items);
  return Value(Value::ListRef(std::move(list)));
}

Result<Value> make_dict(Budget& budget, std::vector<std::pair<Value, Value>> items) {
  auto dict = std::make_shared<Dict>();
  for (auto& [key, value] : items) {
    auto text = key_text(key);
    if (!text) {
      return Error(Code::kInvalidArgument,
                   std::string(kind_name(key)) + " cannot be the key of a dictionary");
    }
    dict->depth = std::max(dict->depth, 1 + depth_of(value));
    dict->bytes += bytes_of(key) + bytes_of(value);
    QT_TRY_VOID(budget.charge());
    if (dict->bytes > budget.limits().value_bytes) break;
    const auto [place, is_new] = dict->index.emplace(*std::move(text), dict->items.size());
    if (is_new) {
      dict->items.emplace_back(std::move(key), std::move(value));
    } else {
      dict->items[place->second].second = std::move(value);
    }
  }
  QT_TRY_VOID(budget.allow_value(dict->bytes));
  if (dict->depth > budget.limits().value_depth) return too_deep(budget);
  return Value(Value::DictRef(std::move(dict)));
}

std::string_view kind_name(const Value& value) {
  if (value.is_undefined()) return "an undefined value";
  if (value.is<None>()) return "none";
  if (value.is<bool>()) return "a boolean";
  if (value.is<int64_t>()) return "an integer";
  if (value.is<double>()) return "a float";
  if (value.is_text()) return "a string";
  if (value.is<Value::DictRef>()) return "a dictionary";
  if (value.is<Namespace*>()) return "a namespace";
  if (value.is<Value::CallableRef>()) return "a function";
  if (value.is<Value::LoopRef>()) return "a loop";
  switch (value.list().kind) {
    case ListKind::kList: return "a list";
    case ListKind::kTuple: return "a tuple";
    default: return "an iterator";
  }
}

Error undefined_error(const Value& value) {
  const auto& name = value.get<Undefined>().name;
  return Error(Code::kInvalidArgument,
               name == nullptr ? "the value is undefined" : in_quotes(*name) + " is undefined");
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is<None>()) return false;
  if (value.is_number()) return value.number() != 0;
  if (value.is_text()) return !value.str().empty();
  if (value.is<Value::DictRef>()) return !value.dict().items.empty();
  if (!value.is<Value::ListRef>()) return true;
  return value.list().kind == ListKind::kIterator || !value.list().items.empty();
}

int depth_of(const Value& value) {
  if (value.is<Value::ListRef>()) return value.list().depth;
  if (value.is<Value::DictRef>()) return value.dict().depth;
  if (value.is<Value::LoopRef>()) return 1 + value.get<Value::LoopRef>()->items->depth;
  if (value.is<Value::CallableRef>()) return 1 + depth_of(value.get<Value::CallableRef>()->self);
  return 0;
}

size_t bytes_of(const Value& value) {
  if (value.is_text()) return kValueBytes + value.str().size();
  if (value.is<Value::ListRef>()) return kValueBytes + value.list().bytes;
  if (value.is<Value::DictRef>()) return kValueBytes + value.dict().bytes;
  return kValueBytes;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return wide(a) == wide(b);
  if (a.is_text() && b.is_text()) return a.str() == b.str();
  if (a.is<Value::ListRef>() && b.is<Value::ListRef>()) {
    return a.get<Value::ListRef>() == b.get<Value::ListRef>() || equal_lists(a.list(), b.list());
  }
  if (a.is<Value::DictRef>() && b.is<Value::DictRef>()) return equal_dicts(a.dict(), b.dict());
  if (a.is<Namespace*>() && b.is<Namespace*>()) return a.get<Namespace*>() == b.get<Namespace*>();
  return (a.is_undefined() && b.is_undefined()) || (a.is<None>() && b.is<None>());
}

Result<std::partial_ordering> order(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return wide(a) <=> wide(b);
  if (a.is_text() && b.is_text()) return std::partial_ordering(a.str() <=> b.str());
  if (a.is<Value::ListRef>() && b.is<Value::ListRef>()) return order_lists(a.list(), b.list());
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return Error(Code::kInvalidArgument, "cannot compare " + std::string(kind_name(a)) + " with " +
                                           std::string(kind_name(b)));
}

Result<std::string> to_text(Budget& budget, const Value& value) {
  QT_TRY_VOID(budget.charge(bytes_of(value)));
  std::string out;
  append_plain(out, value);
  return out;
}

Result<std::vector<Value>> iterate(Budget& budget, const Value& value) {
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (value.is<Value::ListRef>()) {
    QT_TRY_VOID(budget.charge(kValueBytes * value.list().items.size()));
    return value.list().items;
  }
  if (value.is<Value::DictRef>()) {
    QT_TRY_VOID(budget.charge(kValueBytes * value.dict().items.size()));
    for (const auto& item : value.dict().items) items.push_back(item.first);
    return items;
  }
  if (value.is_text()) {
    const Characters characters(value.str());
    QT_TRY_VOID(budget.charge(2 * kValueBytes * characters.size()));
    for (size_t i = 0; i < characters.size(); ++i) items.push_back(Value::text(characters.at(i)));
    return items;
  }
  return Error(Code::kInvalidArgument, std::string(kind_name(value)) + " cannot be looped over");
}

}  // namespace quintet::io::templates
