// What templates can call without defining it: filters, tests and methods, one table row each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/budget.h"
#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

inline constexpr size_t kMaxParameters = 4;

// One call. The errors of whatever runs it say what is wrong, and the caller where.
struct Call {
  Budget& budget;
  const Value& self;  // What stands before the bar, the `is` or the point.
  const Arguments& arguments;
  std::array<const Value*, kMaxParameters> at{};  // By parameter; null where it is not given.

  // The argument for parameter `i`, or `fallback`. Errors: kInvalidArgument for other types.
  Result<int64_t> integer(size_t i, int64_t fallback) const;
  Result<std::string> text(size_t i, std::string_view fallback) const;
  bool flag(size_t i, bool fallback) const { return at[i] == nullptr ? fallback : truth(*at[i]); }
  bool has(size_t i) const { return at[i] != nullptr && !at[i]->is<None>(); }
};

struct Builtin {
  std::string_view name;
  Result<Value> (*run)(Call& call);
  std::array<std::string_view, kMaxParameters> parameters{};
  size_t required = 0;    // So many of the parameters must be given.
  bool variadic = false;  // Reads call.arguments itself.
};

// Errors: kInvalidArgument where the arguments do not fit; what `run` gives.
Result<Value> run_builtin(const Builtin& builtin, Budget& budget, const Value& self,
                          const Arguments& arguments);

// nullptr where there is none of the name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);  // It gives a boolean.
const Builtin* find_method(const Value& self, std::string_view name);

// The tables behind find_filter, by what they work on.
const Builtin* find_text_filter(std::string_view name);
const Builtin* find_number_filter(std::string_view name);
const Builtin* find_list_filter(std::string_view name);
const Builtin* find_choosing_filter(std::string_view name);

template <size_t N>
const Builtin* find_builtin(const std::array<Builtin, N>& table, std::string_view name) {
  for (const Builtin& builtin : table) {
    if (builtin.name == name) return &builtin;
  }
  return nullptr;
}

// A filter or a test by name, with the arguments from `first` on: what `map` and `select` do.
Result<Value> run_filter(Budget& budget, std::string_view name, const Value& self,
                         const Arguments& arguments);
Result<bool> run_test(Budget& budget, std::string_view name, const Value& self,
                      const Arguments& arguments);

}  // namespace quintet::io::templates
