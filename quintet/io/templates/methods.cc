// Methods of strings, dictionaries, lists and loops that templates call. Those that would change
// the object are refused, as Jinja's ImmutableSandboxedEnvironment refuses them.
#include <algorithm>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/text.h"

namespace quintet::io::templates {
namespace {

Result<Value> texts(Budget& budget, const std::vector<std::string_view>& pieces) {
  std::vector<Value> items;
  items.reserve(pieces.size());
  for (const std::string_view piece : pieces) items.push_back(Value::text(piece));
  return make_list(budget, std::move(items));
}

template <bool kLeft, bool kRight>
Result<Value> strip_method(Call& call) {
  QT_TRY_VOID(call.budget.charge(call.self.str().size()));
  const Sides sides{.left = kLeft, .right = kRight};
  if (!call.has(0)) return make_text(call.budget, std::string(strip(call.self.str(), sides)));
  QT_TRY(const std::string characters, call.text(0, ""));
  return make_text(call.budget, std::string(strip(call.self.str(), sides, characters)));
}

template <std::string (*Map)(std::string_view)>
Result<Value> mapped(Call& call) {
  QT_TRY_VOID(call.budget.charge(call.self.str().size()));
  return make_text(call.budget, Map(call.self.str()));
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       int64_t limit) {
  std::vector<std::string_view> pieces;
  size_t end = 0;
  while ((limit < 0 || static_cast<int64_t>(pieces.size()) < limit) &&
         (end = find_text(text, separator)) != std::string_view::npos) {
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  pieces.push_back(text);
  return pieces;
}

std::vector<std::string_view> split_at_from_right(std::string_view text, std::string_view separator,
                                                  int64_t limit) {
  // Backwards, so that one search goes over the whole text.
  const std::string backwards(text.rbegin(), text.rend());
  const std::string mirrored(separator.rbegin(), separator.rend());
  std::vector<std::string_view> pieces;
  for (const std::string_view piece : split_at(backwards, mirrored, limit)) {
    const auto offset = static_cast<size_t>(piece.data() - backwards.data());
    pieces.push_back(text.substr(text.size() - offset - piece.size(), piece.size()));
  }
  std::ranges::reverse(pieces);
  return pieces;
}

// Before a split into so many pieces at most.
Result<void> charge_pieces(Call& call, size_t pieces, int64_t limit = -1) {
  constexpr size_t kBytesOfPiece = 64;
  if (limit >= 0) pieces = std::min(pieces, static_cast<size_t>(limit));
  QT_TRY_VOID(call.budget.charge(call.self.str().size()));
  return call.budget.charge(kBytesOfPiece * pieces);
}

// Bytes that may belong to a character where a line or word ends.
size_t possible_ends(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return c == ' ' || static_cast<unsigned char>(c - 0x20) >= 0x60; }));
}

template <bool kFromRight>
Result<Value> split_method(Call& call) {
  QT_TRY(const int64_t limit, call.integer(1, -1));
  const std::string& text = call.self.str();
  if (!call.has(0)) {
    QT_TRY_VOID(charge_pieces(call, possible_ends(text), limit));
    return texts(call.budget,
                 kFromRight ? split_spaces_from_right(text, limit) : split_spaces(text, limit));
  }
  QT_TRY(const std::string separator, call.text(0, ""));
  if (separator.empty()) return Error(Code::kInvalidArgument, "'split' by an empty string");
  QT_TRY_VOID(charge_pieces(call, count_text(text, separator), limit));
  return texts(call.budget, kFromRight ? split_at_from_right(text, separator, limit)
                                       : split_at(text, separator, limit));
}

Result<Value> splitlines_method(Call& call) {
  QT_TRY_VOID(charge_pieces(call, possible_ends(call.self.str())));
  return texts(call.budget, split_lines(call.self.str(), call.flag(0, false)));
}

template <bool kAtEnd>
Result<Value> affix_method(Call& call) {
  const std::string& text = call.self.str();
  const auto matches = [&](const Value& affix) -> Result<bool> {
    if (!affix.is_text()) {
      return Error(Code::kInvalidArgument,
                   "expected a string, found " + std::string(kind_name(affix)));
    }
    QT_TRY_VOID(call.budget.charge(std::min(text.size(), affix.str().size())));
    return kAtEnd ? text.ends_with(affix.str()) : text.starts_with(affix.str());
  };
  const Value& affix = *call.at[0];
  if (!affix.is<Value::ListRef>() || affix.list().kind != ListKind::kTuple) {
    QT_TRY(const bool result, matches(affix));
    return Value(result);
  }
  QT_TRY_VOID(call.budget.charge(bytes_of(affix)));
  for (const Value& choice : affix.list().items) {
    QT_TRY(const bool result, matches(choice));
    if (result) return Value(true);
  }
  return Value(false);
}

template <bool kAtEnd>
Result<Value> remove_affix(Call& call) {
  QT_TRY(const std::string affix, call.text(0, ""));
  std::string_view text = call.self.str();
  if (kAtEnd && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!kAtEnd && text.starts_with(affix)) text.remove_prefix(affix.size());
  return make_text(call.budget, std::string(text));
}

// Puts `with` before every character and at the end, up to `limit` times: what replacing the empty
// string means.
std::string interspersed(const std::string& text, const std::string& with, size_t limit) {
  const Characters characters(text);
  std::string out;
  for (size_t i = 0; i <= characters.size(); ++i) {
    if (i < limit) out += with;
    if (i < characters.size()) out += characters.at(i);
  }
  return out;
}

Result<Value> replace_method(Call& call) {
  const std::string& text = call.self.str();
  QT_TRY(const std::string old, call.text(0, ""));
  QT_TRY(const std::string with, call.text(1, ""));
  QT_TRY(const int64_t limit, call.integer(2, -1));
  const size_t most = limit < 0 ? text.size() + 1 : static_cast<size_t>(limit);
  QT_TRY_VOID(call.budget.charge(text.size()));
  const size_t found = old.empty() ? text.size() + 1 : count_text(text, old);
  const size_t count = std::min(most, found);
  QT_TRY_VOID(call.budget.allow_value(text.size() + count * with.size()));
  if (old.empty()) return make_text(call.budget, interspersed(text, with, most));
  std::string out;
  size_t done = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = find_text(text, old, done);
    out.append(text, done, at - done);
    out += with;
    done = at + old.size();
  }
  out.append(text, done);
  return make_text(call.budget, std::move(out));
}

Result<Value> join_method(Call& call) {
  QT_TRY(const auto items, iterate(call.budget, *call.at[0]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_text()) {
      return Error(Code::kInvalidArgument,
                   "'join' takes strings, found " + std::string(kind_name(items[i])));
    }
    const size_t bytes = out.size() + call.self.str().size() + items[i].str().size();
    if (bytes > call.budget.limits().value_bytes) QT_TRY_VOID(call.budget.allow_value(bytes));
    if (i > 0) out += call.self.str();
    out += items[i].str();
  }
  return make_text(call.budget, std::move(out));
}

template <bool kLast>
Result<Value> find_method_of_text(Call& call) {
  const std::string& text = call.self.str();
  QT_TRY(const std::string wanted, call.text(0, ""));
  QT_TRY_VOID(call.budget.charge(text.size()));
  const size_t at = kLast ? find_last_text(text, wanted) : find_text(text, wanted);
  if (at == std::string::npos) return Value(int64_t{-1});
  return Value(static_cast<int64_t>(Characters(std::string_view(text).substr(0, at)).size()));
}

Result<Value> count_method(Call& call) {
  QT_TRY(const std::string wanted, call.text(0, ""));
  const std::string& text = call.self.str();
  QT_TRY_VOID(call.budget.charge(text.size()));
  if (wanted.empty()) return Value(static_cast<int64_t>(Characters(text).size()) + 1);
  return Value(static_cast<int64_t>(count_text(text, wanted)));
}

template <bool (*Holds)(char)>
Result<Value> all_characters(Call& call) {
  QT_TRY_VOID(call.budget.charge(call.self.str().size()));
  return Value(!call.self.str().empty() && std::ranges::all_of(call.self.str(), Holds));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return strip(std::string_view(&c, 1)).empty(); }

Result<Value> get_method(Call& call) {
  if (const Value* value = call.self.dict().find(*call.at[0])) return *value;
  return call.at[1] != nullptr ? *call.at[1] : Value::none();
}

Result<Value> items_method(Call& call) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : call.self.dict().items) {
    QT_TRY(Value pair, make_list(call.budget, {key, value}, ListKind::kTuple));
    pairs.push_back(std::move(pair));
  }
  return make_list(call.budget, std::move(pairs));
}

Result<Value> keys_method(Call& call) {
  QT_TRY(auto keys, iterate(call.budget, call.self));
  return make_list(call.budget, std::move(keys));
}

Result<Value> values_method(Call& call) {
  std::vector<Value> values;
  for (const auto& entry : call.self.dict().items) values.push_back(entry.second);
  return make_list(call.budget, std::move(values));
}

Result<Value> same_object(Call& call) { return call.self; }

Result<Value> refuse_change(Call&) {
  return Error(Code::kInvalidArgument,
               "a template cannot change a list or dictionary: make a new one");
}

Result<Value> list_count(Call& call) {
  QT_TRY_VOID(call.budget.charge(bytes_of(call.self)));
  return Value(static_cast<int64_t>(std::ranges::count_if(
      call.self.list().items, [&](const Value& item) { return equal(item, *call.at[0]); })));
}

Result<Value> list_index(Call& call) {
  QT_TRY_VOID(call.budget.charge(bytes_of(call.self)));
  const auto& items = call.self.list().items;
  const auto place =
      std::ranges::find_if(items, [&](const Value& item) { return equal(item, *call.at[0]); });
  if (place == items.end())
    return Error(Code::kInvalidArgument, "'index' of what is not in the list");
  return Value(static_cast<int64_t>(place - items.begin()));
}

Result<Value> cycle_method(Call& call) {
  const auto& choices = call.arguments.positional;
  if (choices.empty()) return Error(Code::kInvalidArgument, "'cycle' needs values");
  return choices[call.self.get<Value::LoopRef>()->index % choices.size()];
}

constexpr std::array<Builtin, 21> kTextMethods = {{
    {"strip", strip_method<true, true>, {"chars"}},
    {"lstrip", strip_method<true, false>, {"chars"}},
    {"rstrip", strip_method<false, true>, {"chars"}},
    {"upper", mapped<upper>},
    {"lower", mapped<lower>},
    {"title", mapped<title>},
    {"capitalize", mapped<capitalize>},
    {"split", split_method<false>, {"sep", "maxsplit"}},
    {"rsplit", split_method<true>, {"sep", "maxsplit"}},
    {"splitlines", splitlines_method, {"keepends"}},
    {"startswith", affix_method<false>, {"prefix"}, 1},
    {"endswith", affix_method<true>, {"suffix"}, 1},
    {"removeprefix", remove_affix<false>, {"prefix"}, 1},
    {"removesuffix", remove_affix<true>, {"suffix"}, 1},
    {"replace", replace_method, {"old", "new", "count"}, 2},
    {"join", join_method, {"iterable"}, 1},
    {"find", find_method_of_text<false>, {"sub"}, 1},
    {"rfind", find_method_of_text<true>, {"sub"}, 1},
    {"count", count_method, {"sub"}, 1},
    {"isdigit", all_characters<is_digit>},
    {"isspace", all_characters<is_space>},
}};

constexpr std::array<Builtin, 10> kDictMethods = {{
    {"get", get_method, {"key", "default"}, 1},
    {"items", items_method},
    {"keys", keys_method},
    {"values", values_method},
    {"copy", same_object},
    {.name = "update", .run = refuse_change, .variadic = true},
    {.name = "pop", .run = refuse_change, .variadic = true},
    {.name = "popitem", .run = refuse_change, .variadic = true},
    {.name = "setdefault", .run = refuse_change, .variadic = true},
    {.name = "clear", .run = refuse_change, .variadic = true},
}};

constexpr std::array<Builtin, 11> kListMethods = {{
    {"count", list_count, {"value"}, 1},
    {"index", list_index, {"value"}, 1},
    {"copy", same_object},
    {.name = "append", .run = refuse_change, .variadic = true},
    {.name = "extend", .run = refuse_change, .variadic = true},
    {.name = "insert", .run = refuse_change, .variadic = true},
    {.name = "pop", .run = refuse_change, .variadic = true},
    {.name = "remove", .run = refuse_change, .variadic = true},
    {.name = "reverse", .run = refuse_change, .variadic = true},
    {.name = "sort", .run = refuse_change, .variadic = true},
    {.name = "clear", .run = refuse_change, .variadic = true},
}};

constexpr std::array<Builtin, 1> kLoopMethods = {
    {{.name = "cycle", .run = cycle_method, .variadic = true}}};

}  // namespace

const Builtin* find_method(const Value& self, std::string_view name) {
  if (self.is_text()) return find_builtin(kTextMethods, name);
  if (self.is<Value::DictRef>()) return find_builtin(kDictMethods, name);
  if (self.is<Value::ListRef>()) return find_builtin(kListMethods, name);
  if (self.is<Value::LoopRef>()) return find_builtin(kLoopMethods, name);
  return nullptr;
}

}  // namespace quintet::io::templates
