// Filters that make text. Source: Jinja 3.1 filters.py; tojson as transformers replaces it.
#include <algorithm>

#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/json_writer.h"
#include "quintet/io/templates/text.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io::templates {
namespace {

template <std::string (*Map)(std::string_view)>
Result<Value> mapped(Call& call) {
  QT_TRY(const std::string text, to_text(call.budget, call.self));
  return make_text(call.budget, Map(text));
}

// Jinja's own: words begin after white space and some brackets, not after each letterless sign.
std::string title_of_words(std::string_view text) {
  constexpr std::string_view kStarts = "-({[<";
  std::string out;
  std::string word;
  const auto flush = [&] {
    const size_t first = word.empty() ? 0 : std::max<size_t>(1, code_point_at(word, 0).bytes);
    out += upper(std::string_view(word).substr(0, first));
    out += lower(std::string_view(word).substr(first));
    word.clear();
  };
  const Characters characters(text);
  for (size_t i = 0; i < characters.size(); ++i) {
    const std::string_view c = characters.at(i);
    if (kStarts.find(c) != std::string_view::npos || strip(c).empty()) {
      flush();
      out += c;
    } else {
      word += c;
    }
  }
  flush();
  return out;
}

Result<Value> trim_filter(Call& call) {
  QT_TRY(const std::string text, to_text(call.budget, call.self));
  if (!call.has(0)) return make_text(call.budget, std::string(strip(text)));
  QT_TRY(const std::string characters, call.text(0, ""));
  return make_text(call.budget, std::string(strip(text, {}, characters)));
}

Result<Value> string_filter(Call& call) {
  if (call.self.is_text()) return call.self;
  QT_TRY(std::string text, to_text(call.budget, call.self));
  return make_text(call.budget, std::move(text));
}

Result<Value> replace_filter(Call& call) {
  QT_TRY(std::string text, to_text(call.budget, call.self));
  const Value self = Value::text(std::move(text));
  return run_builtin(*find_method(self, "replace"), call.budget, self, call.arguments);
}

Result<Value> indent_filter(Call& call) {
  QT_TRY(const std::string text, to_text(call.budget, call.self));
  std::string indent;
  if (call.has(0) && call.at[0]->is_text()) {
    indent = call.at[0]->str();
  } else {
    QT_TRY(const int64_t width, call.integer(0, 4));
    QT_TRY_VOID(call.budget.allow_value(static_cast<size_t>(std::max<int64_t>(width, 0))));
    indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = call.flag(2, false);
  // The line end that Jinja adds makes a last empty line count.
  const std::string with_end = text + "\n";
  const auto lines = split_lines(with_end);
  QT_TRY_VOID(call.budget.allow_value(text.size() + lines.size() * (indent.size() + 1)));
  std::string out;
  if (call.flag(1, false)) out = indent;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].empty())) out += indent;
    out += lines[i];
  }
  return make_text(call.budget, std::move(out));
}

Result<void> set_indent(const Call& call, JsonStyle& style) {
  if (!call.has(1)) return {};
  style.between_items.assign(1, ',');
  if (call.at[1]->is_text()) {
    style.indent = call.at[1]->str();
    return {};
  }
  QT_TRY(const int64_t width, call.integer(1, 0));
  const auto spaces = static_cast<size_t>(std::max<int64_t>(width, 0));
  QT_TRY_VOID(call.budget.allow_value(spaces));
  style.indent = std::string(spaces, ' ');
  return {};
}

Result<Value> tojson_filter(Call& call) {
  JsonStyle style;
  style.ascii = call.flag(0, false);
  style.sort_keys = call.flag(3, false);
  QT_TRY_VOID(set_indent(call, style));
  if (call.has(2)) {
    const bool fits = call.at[2]->is<Value::ListRef>() && call.at[2]->list().items.size() == 2 &&
                      call.at[2]->list().items[0].is_text() &&
                      call.at[2]->list().items[1].is_text();
    if (!fits) return Error(Code::kInvalidArgument, "'separators' must be two strings");
    style.between_items = call.at[2]->list().items[0].str();
    style.after_key = call.at[2]->list().items[1].str();
  }
  QT_TRY(std::string text, to_json(call.budget, call.self, style));
  return make_text(call.budget, std::move(text));
}

constexpr std::array<Builtin, 10> kFilters = {{
    {"trim", trim_filter, {"chars"}},
    {"upper", mapped<upper>},
    {"lower", mapped<lower>},
    {"capitalize", mapped<capitalize>},
    {"title", mapped<title_of_words>},
    {"string", string_filter},
    {"safe", string_filter},
    {"replace", replace_filter, {"old", "new", "count"}, 2},
    {"indent", indent_filter, {"width", "first", "blank"}},
    {"tojson", tojson_filter, {"ensure_ascii", "indent", "separators", "sort_keys"}},
}};

}  // namespace

const Builtin* find_text_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace quintet::io::templates
