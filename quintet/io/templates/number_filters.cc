// Filters that make numbers. Source: Jinja 3.1 filters.py.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/operators.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

// Python's int() and float() of a string: white space around and a plus are fine.
template <typename T>
std::optional<T> parsed(const std::string& text) {
  std::string_view digits = strip(text);
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  T value{};
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || digits.empty()) return std::nullopt;
  return value;
}

std::optional<double> as_float(const Value& value) {
  if (value.is_number()) return value.number();
  return value.is_text() ? parsed<double>(value.str()) : std::nullopt;
}

std::optional<int64_t> truncated(double number) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63.
  if (!(std::abs(number) < kLimit)) return std::nullopt;
  return static_cast<int64_t>(number);
}

Result<Value> int_filter(Call& call) {
  QT_TRY(const int64_t base, call.integer(1, 10));
  if (base != 10) return Error(Code::kUnsupported, "'int' with another base than 10");
  if (const auto integer = call.self.integer()) return Value(*integer);
  if (call.self.is_text()) {
    if (const auto integer = parsed<int64_t>(call.self.str())) return Value(*integer);
  }
  if (const auto number = as_float(call.self)) {
    if (const auto integer = truncated(*number)) return Value(*integer);
  }
  return call.at[0] != nullptr ? *call.at[0] : Value(int64_t{0});
}

Result<Value> float_filter(Call& call) {
  if (const auto number = as_float(call.self)) return Value(*number);
  return call.at[0] != nullptr ? *call.at[0] : Value(0.0);
}

Error not_a_number(const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  return Error(Code::kInvalidArgument, "expected a number, found " + std::string(kind_name(value)));
}

Result<Value> abs_filter(Call& call) {
  const Value& value = call.self;
  if (value.is<double>()) return Value(std::abs(value.get<double>()));
  if (!value.is_number()) return not_a_number(value);
  return *value.integer() < 0 ? negate(value) : Result<Value>(Value(*value.integer()));
}

// The float nearest to `number` with so many decimals, halves of the exact value to even.
double rounded(double number, int64_t decimals) {
  std::array<char, 512> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number,
                                     std::chars_format::fixed, static_cast<int>(decimals));
  double result = number;
  if (written.ec == std::errc()) std::from_chars(text.data(), written.ptr, result);
  return result;
}

Result<Value> round_filter(Call& call) {
  constexpr int64_t kMaxDecimals = 100;
  QT_TRY(const int64_t decimals, call.integer(0, 0));
  QT_TRY(const std::string method, call.text(1, "common"));
  if (!call.self.is_number()) return not_a_number(call.self);
  if (decimals < 0 || decimals > kMaxDecimals) {
    return Error(Code::kUnsupported, "'round' takes a precision of 0 to 100");
  }
  if (method == "common") {
    if (call.self.integer()) return Value(*call.self.integer());
    return Value(rounded(call.self.number(), decimals));
  }
  if (method != "ceil" && method != "floor") {
    return Error(Code::kInvalidArgument,
                 "'round' takes 'common', 'ceil' or 'floor', not " + in_quotes(method));
  }
  const double scale = std::pow(10.0, static_cast<double>(decimals));
  const double scaled = call.self.number() * scale;
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

constexpr std::array<Builtin, 4> kFilters = {{
    {"int", int_filter, {"default", "base"}},
    {"float", float_filter, {"default"}},
    {"abs", abs_filter},
    {"round", round_filter, {"precision", "method"}},
}};

}  // namespace

const Builtin* find_number_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace quintet::io::templates
