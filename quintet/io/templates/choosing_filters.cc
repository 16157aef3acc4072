// Filters that run another filter or a test on every item. Source: Jinja 3.1 filters.py.
#include <algorithm>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/item_path.h"

namespace quintet::io::templates {
namespace {

const Value* named_argument(const Call& call, std::string_view name) {
  const auto& named = call.arguments.named;
  const auto place = std::ranges::find(
      named, name, [](const auto& argument) -> std::string_view { return argument.first; });
  return place == named.end() ? nullptr : &place->second;
}

Arguments arguments_from(const Call& call, size_t first) {
  Arguments rest;
  const auto& all = call.arguments.positional;
  if (first < all.size())
    rest.positional.assign(all.begin() + static_cast<ptrdiff_t>(first), all.end());
  rest.named = call.arguments.named;
  return rest;
}

// The text that argument `i` is. Errors: kInvalidArgument.
Result<std::string> name_argument(const Call& call, size_t i, std::string_view what) {
  const auto& all = call.arguments.positional;
  if (i >= all.size() || !all[i].is_text()) {
    return Error(Code::kInvalidArgument, "needs the name of " + std::string(what));
  }
  return all[i].str();
}

Result<Value> map_attribute(Call& call, const Value& attribute) {
  const Value* fallback = named_argument(call, "default");
  QT_TRY(const ItemPath path, ItemPath::parse(&attribute));
  QT_TRY(auto items, iterate(call.budget, call.self));
  for (Value& item : items) {
    QT_TRY(item, path.follow(call.budget, item, fallback));
  }
  return make_list(call.budget, std::move(items), ListKind::kIterator);
}

Result<Value> map_filter(Call& call) {
  if (const Value* attribute = named_argument(call, "attribute");
      attribute != nullptr && call.arguments.positional.empty()) {
    return map_attribute(call, *attribute);
  }
  QT_TRY(const std::string name, name_argument(call, 0, "a filter"));
  const Arguments rest = arguments_from(call, 1);
  QT_TRY(auto items, iterate(call.budget, call.self));
  for (Value& item : items) {
    QT_TRY(item, run_filter(call.budget, name, item, rest));
  }
  return make_list(call.budget, std::move(items), ListKind::kIterator);
}

// Keeps the items whose value at `path` passes the test that the arguments from `first` on name,
// or fails it; without one, those that are true.
Result<Value> choose(Call& call, const ItemPath& path, size_t first, bool wanted) {
  std::string test;
  if (call.arguments.positional.size() > first) {
    QT_TRY(test, name_argument(call, first, "a test"));
  }
  const Arguments rest = arguments_from(call, first + 1);
  QT_TRY(const auto items, iterate(call.budget, call.self));
  std::vector<Value> kept;
  for (const Value& item : items) {
    QT_TRY(const Value value, path.follow(call.budget, item));
    bool passes = truth(value);
    if (!test.empty()) {
      QT_TRY(passes, run_test(call.budget, test, value, rest));
    }
    if (passes == wanted) kept.push_back(item);
  }
  return make_list(call.budget, std::move(kept), ListKind::kIterator);
}

template <bool kWanted>
Result<Value> select_filter(Call& call) {
  return choose(call, {}, 0, kWanted);
}

template <bool kWanted>
Result<Value> select_by_attribute(Call& call) {
  if (call.arguments.positional.empty()) {
    return Error(Code::kInvalidArgument, "needs the name of an attribute");
  }
  QT_TRY(const ItemPath path, ItemPath::parse(call.arguments.positional.data()));
  return choose(call, path, 1, kWanted);
}

constexpr std::array<Builtin, 5> kFilters = {{
    {.name = "map", .run = map_filter, .variadic = true},
    {.name = "select", .run = select_filter<true>, .variadic = true},
    {.name = "reject", .run = select_filter<false>, .variadic = true},
    {.name = "selectattr", .run = select_by_attribute<true>, .variadic = true},
    {.name = "rejectattr", .run = select_by_attribute<false>, .variadic = true},
}};

}  // namespace

const Builtin* find_choosing_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace quintet::io::templates
