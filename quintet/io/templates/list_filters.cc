// Filters over lists and dictionaries. Source: Jinja 3.1 filters.py.
#include <algorithm>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/item_path.h"
#include "quintet/io/templates/operators.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

Result<Value> length_filter(Call& call) {
  const Value& value = call.self;
  if (value.is_text()) {
    QT_TRY_VOID(call.budget.charge(value.str().size()));
    return Value(static_cast<int64_t>(Characters(value.str()).size()));
  }
  if (value.is<Value::DictRef>()) return Value(static_cast<int64_t>(value.dict().items.size()));
  if (value.is_undefined()) return Value(int64_t{0});
  if (value.is<Value::ListRef>() && value.list().kind != ListKind::kIterator) {
    return Value(static_cast<int64_t>(value.list().items.size()));
  }
  return Error(Code::kInvalidArgument, std::string(kind_name(value)) + " has no length");
}

Result<Value> first_filter(Call& call) {
  if (call.self.is_text()) return item(call.budget, call.self, Value(int64_t{0}));
  QT_TRY(const auto items, iterate(call.budget, call.self));
  return items.empty() ? Value::undefined("the first item") : items.front();
}

Result<Value> last_filter(Call& call) {
  if (call.self.is_text()) return item(call.budget, call.self, Value(int64_t{-1}));
  QT_TRY(const auto items, iterate(call.budget, call.self));
  return items.empty() ? Value::undefined("the last item") : items.back();
}

Result<Value> list_filter(Call& call) {
  QT_TRY(auto items, iterate(call.budget, call.self));
  return make_list(call.budget, std::move(items));
}

Result<Value> reverse_filter(Call& call) {
  if (call.self.is_text()) {
    return slice(call.budget, call.self, {.begin = {}, .end = {}, .step = -1});
  }
  QT_TRY(auto items, iterate(call.budget, call.self));
  std::ranges::reverse(items);
  return make_list(call.budget, std::move(items), ListKind::kIterator);
}

Result<Value> join_filter(Call& call) {
  QT_TRY(const auto items, iterate(call.budget, call.self));
  const Value none = Value::text("");
  QT_TRY(const std::string separator,
         to_text(call.budget, call.at[0] == nullptr ? none : *call.at[0]));
  QT_TRY(const ItemPath path, ItemPath::parse(call.at[1]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    QT_TRY(const Value value, path.follow(call.budget, items[i]));
    QT_TRY(const std::string text, to_text(call.budget, value));
    QT_TRY_VOID(call.budget.charge(separator.size()));
    if (out.size() + text.size() > call.budget.limits().value_bytes) {
      QT_TRY_VOID(call.budget.allow_value(out.size() + text.size()));
    }
    out += text;
  }
  return make_text(call.budget, std::move(out));
}

Result<Value> items_filter(Call& call) {
  if (call.self.is_undefined()) return make_list(call.budget, {}, ListKind::kIterator);
  if (!call.self.is<Value::DictRef>()) {
    return Error(Code::kInvalidArgument,
                 "expected a dictionary, found " + std::string(kind_name(call.self)));
  }
  return run_builtin(*find_method(call.self, "items"), call.budget, call.self, call.arguments);
}

Result<Value> default_filter(Call& call) {
  const bool missing = call.self.is_undefined() || (call.flag(1, false) && !truth(call.self));
  if (!missing) return call.self;
  return call.at[0] != nullptr ? *call.at[0] : Value::text("");
}

Result<Value> sum_filter(Call& call) {
  QT_TRY(const auto items, iterate(call.budget, call.self));
  QT_TRY(const ItemPath path, ItemPath::parse(call.at[0]));
  Value sum = call.at[1] != nullptr ? *call.at[1] : Value(int64_t{0});
  for (const Value& entry : items) {
    QT_TRY(const Value value, path.follow(call.budget, entry));
    QT_TRY(sum, arithmetic(call.budget, Operator::kAdd, sum, value));
  }
  return sum;
}

// What values are sorted and compared by: small letters unless the case counts.
Result<Value> sort_key(Call& call, const ItemPath& path, const Value& value, bool case_sensitive) {
  QT_TRY(Value key, path.follow(call.budget, value));
  QT_TRY_VOID(call.budget.charge(bytes_of(key)));
  if (case_sensitive || !key.is_text()) return key;
  return Value::text(lower(key.str()));
}

struct Keyed {
  Value key;
  Value value;
};

Result<std::vector<Keyed>> keyed_items(Call& call, const Value* attribute, bool case_sensitive) {
  QT_TRY(const auto items, iterate(call.budget, call.self));
  QT_TRY(const ItemPath path, ItemPath::parse(attribute));
  std::vector<Keyed> keyed;
  for (const Value& value : items) {
    QT_TRY(Value key, sort_key(call, path, value, case_sensitive));
    keyed.push_back({std::move(key), value});
  }
  return keyed;
}

// Stable, and stable in reverse, as Python's sorted().
Result<void> sort_keyed(Budget& budget, std::vector<Keyed>& items, bool reverse) {
  Result<void> outcome;
  std::ranges::stable_sort(items, [&](const Keyed& a, const Keyed& b) {
    if (!outcome) return false;
    const Keyed& left = reverse ? b : a;
    const Keyed& right = reverse ? a : b;
    outcome = budget.charge(std::min(bytes_of(left.key), bytes_of(right.key)));
    if (!outcome) return false;
    const auto ordering = order(left.key, right.key);
    if (!ordering) outcome = ordering.error();
    return ordering.has_value() && *ordering < 0;
  });
  return outcome;
}

Result<Value> values_of(Budget& budget, std::vector<Keyed> keyed, ListKind kind) {
  std::vector<Value> values;
  for (Keyed& entry : keyed) values.push_back(std::move(entry.value));
  return make_list(budget, std::move(values), kind);
}

Result<Value> sort_filter(Call& call) {
  QT_TRY(auto items, keyed_items(call, call.at[2], call.flag(1, false)));
  QT_TRY_VOID(sort_keyed(call.budget, items, call.flag(0, false)));
  return values_of(call.budget, std::move(items), ListKind::kList);
}

Result<Value> dictsort_filter(Call& call) {
  QT_TRY(const std::string by, call.text(1, "key"));
  if (by != "key" && by != "value") {
    return Error(Code::kInvalidArgument, "'dictsort' is by 'key' or 'value', not " + in_quotes(by));
  }
  if (!call.self.is<Value::DictRef>()) {
    return Error(Code::kInvalidArgument,
                 "expected a dictionary, found " + std::string(kind_name(call.self)));
  }
  std::vector<Keyed> pairs;
  for (const auto& [name, value] : call.self.dict().items) {
    QT_TRY(Value key, sort_key(call, {}, by == "key" ? name : value, call.flag(0, false)));
    QT_TRY(Value pair, make_list(call.budget, {name, value}, ListKind::kTuple));
    pairs.push_back({std::move(key), std::move(pair)});
  }
  QT_TRY_VOID(sort_keyed(call.budget, pairs, call.flag(2, false)));
  return values_of(call.budget, std::move(pairs), ListKind::kList);
}

Result<Value> unique_filter(Call& call) {
  QT_TRY(auto items, keyed_items(call, call.at[1], call.flag(0, false)));
  std::vector<Keyed> kept;
  for (Keyed& entry : items) {
    bool is_new = true;
    for (const Keyed& other : kept) {
      QT_TRY_VOID(call.budget.charge(std::min(bytes_of(entry.key), bytes_of(other.key))));
      is_new = is_new && !equal(entry.key, other.key);
    }
    if (is_new) kept.push_back(std::move(entry));
  }
  return values_of(call.budget, std::move(kept), ListKind::kIterator);
}

template <bool kLargest>
Result<Value> extreme_filter(Call& call) {
  QT_TRY(const auto items, keyed_items(call, call.at[1], call.flag(0, false)));
  if (items.empty()) return Value::undefined("an item of an empty list");
  const Keyed* best = &items.front();
  for (const Keyed& entry : items) {
    QT_TRY(const auto ordering, order(entry.key, best->key));
    if (kLargest ? ordering > 0 : ordering < 0) best = &entry;
  }
  return best->value;
}

constexpr std::array<Builtin, 16> kFilters = {{
    {"length", length_filter},
    {"count", length_filter},
    {"first", first_filter},
    {"last", last_filter},
    {"list", list_filter},
    {"reverse", reverse_filter},
    {"join", join_filter, {"d", "attribute"}},
    {"items", items_filter},
    {"default", default_filter, {"default_value", "boolean"}},
    {"d", default_filter, {"default_value", "boolean"}},
    {"sum", sum_filter, {"attribute", "start"}},
    {"sort", sort_filter, {"reverse", "case_sensitive", "attribute"}},
    {"dictsort", dictsort_filter, {"case_sensitive", "by", "reverse"}},
    {"unique", unique_filter, {"case_sensitive", "attribute"}},
    {"min", extreme_filter<false>, {"case_sensitive", "attribute"}},
    {"max", extreme_filter<true>, {"case_sensitive", "attribute"}},
}};

}  // namespace

const Builtin* find_list_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace quintet::io::templates
