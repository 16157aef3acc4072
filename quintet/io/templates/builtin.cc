#include "quintet/io/templates/builtin.h"

#include <algorithm>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::io::templates {
namespace {

Error wrong_argument(const char* expected, const Value& found) {
  return Error(Code::kInvalidArgument,
               "expected " + std::string(expected) + ", found " + std::string(kind_name(found)));
}

Error wrong_call(const Builtin& builtin, const std::string& what) {
  return Error(Code::kInvalidArgument, in_quotes(builtin.name) + " " + what);
}

}  // namespace

Result<int64_t> Call::integer(size_t i, int64_t fallback) const {
  if (!has(i)) return fallback;
  const auto value = at[i]->integer();
  if (!value) return wrong_argument("an integer", *at[i]);
  return *value;
}

Result<std::string> Call::text(size_t i, std::string_view fallback) const {
  if (!has(i)) return std::string(fallback);
  if (!at[i]->is_text()) return wrong_argument("a string", *at[i]);
  return at[i]->str();
}

Result<Value> run_builtin(const Builtin& builtin, Budget& budget, const Value& self,
                          const Arguments& arguments) {
  QT_TRY_VOID(budget.charge());
  Call call{budget, self, arguments};
  if (builtin.variadic) return builtin.run(call);
  const auto& names = builtin.parameters;
  const auto end = std::ranges::find(names, std::string_view());
  const auto count = static_cast<size_t>(end - names.begin());
  if (arguments.positional.size() > count) {
    return wrong_call(builtin, "takes no more than " + std::to_string(count) + " arguments");
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) call.at[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto place = std::find(names.begin(), end, std::string_view(name));
    if (place == end) return wrong_call(builtin, "takes no argument " + in_quotes(name));
    call.at[static_cast<size_t>(place - names.begin())] = &value;
  }
  for (size_t i = 0; i < builtin.required; ++i) {
    if (call.at[i] == nullptr) {
      return wrong_call(builtin, "needs the argument " + in_quotes(names[i]));
    }
  }
  return builtin.run(call);
}

const Builtin* find_filter(std::string_view name) {
  for (const auto find :
       {find_text_filter, find_number_filter, find_list_filter, find_choosing_filter}) {
    if (const Builtin* filter = find(name)) return filter;
  }
  return nullptr;
}

Result<Value> run_filter(Budget& budget, std::string_view name, const Value& self,
                         const Arguments& arguments) {
  const Budget::Level level(budget);
  QT_TRY_VOID(budget.check_depth());
  const Builtin* filter = find_filter(name);
  if (filter == nullptr) {
    return Error(Code::kUnsupported, "there is no filter " + in_quotes(name));
  }
  return run_builtin(*filter, budget, self, arguments);
}

Result<bool> run_test(Budget& budget, std::string_view name, const Value& self,
                      const Arguments& arguments) {
  const Builtin* test = find_test(name);
  if (test == nullptr) return Error(Code::kUnsupported, "there is no test " + in_quotes(name));
  QT_TRY(const Value result, run_builtin(*test, budget, self, arguments));
  return truth(result);
}

}  // namespace quintet::io::templates
