#include "quintet/io/templates/json_writer.h"

#include <algorithm>
#include <cmath>

#include "quintet/io/templates/text.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io::templates {
namespace {

void append_unit(std::string& out, uint32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15];
}

void append_escaped(std::string& out, char32_t c) {
  if (c < 0x10000) return append_unit(out, c);
  append_unit(out, 0xd800 + ((c - 0x10000) >> 10));
  append_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

class Writer {
 public:
  Writer(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

  // The depth of values is bounded where they are made.
  Result<void> write(const Value& value, int level) {
    QT_TRY_VOID(budget_.charge());
    if (value.is<Value::ListRef>() && value.list().kind != ListKind::kIterator) {
      return write_list(value.list(), level);
    }
    if (value.is<Value::DictRef>()) return write_dict(value.dict(), level);
    if (value.is_text()) return string(value.str());
    QT_TRY(const std::string text, scalar(value));
    out_ += text;
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  static Result<std::string> scalar(const Value& value) {
    if (value.is<None>()) return std::string("null");
    if (value.is<bool>()) return std::string(value.get<bool>() ? "true" : "false");
    if (value.is<int64_t>()) return std::to_string(value.get<int64_t>());
    if (value.is<double>()) {
      const double number = value.get<double>();
      if (std::isnan(number)) return std::string("NaN");
      if (std::isinf(number)) return std::string(number < 0 ? "-Infinity" : "Infinity");
      return float_text(number);
    }
    if (value.is_undefined()) return undefined_error(value);
    return Error(Code::kInvalidArgument, std::string(kind_name(value)) + " has no JSON");
  }

  Result<void> string(const std::string& text) {
    QT_TRY_VOID(budget_.charge(text.size()));
    out_ += '"';
    for (size_t at = 0; at < text.size();) {
      const CodePoint c = code_point_at(text, at);
      const size_t bytes = std::max<size_t>(c.bytes, 1);
      character(c, std::string_view(text).substr(at, bytes));
      at += bytes;
    }
    out_ += '"';
    return {};
  }

  void character(const CodePoint& c, std::string_view bytes) {
    constexpr std::string_view kPlain = "\"\\\n\r\t\f\b";
    constexpr std::string_view kLetters = "\"\\nrtfb";
    const size_t place = kPlain.find(bytes);
    if (bytes.size() == 1 && place != std::string_view::npos) {
      out_ += '\\';
      out_ += kLetters[place];
    } else if (c.bytes > 0 && (c.value < 0x20 || (style_.ascii && c.value >= 0x7f))) {
      append_escaped(out_, c.value);
    } else {
      out_ += bytes;
    }
  }

  // The indentation of a value that is deep and wide adds up.
  Result<void> new_line(int level) {
    const size_t indent = style_.indent ? style_.indent->size() : 0;
    const size_t bytes = out_.size() + indent * static_cast<size_t>(level);
    if (bytes > budget_.limits().value_bytes) QT_TRY_VOID(budget_.allow_value(bytes));
    if (!style_.indent) return {};
    out_ += '\n';
    for (int i = 0; i < level; ++i) out_ += *style_.indent;
    return {};
  }

  Result<void> write_list(const List& list, int level) {
    out_ += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_ += style_.between_items;
      QT_TRY_VOID(new_line(level + 1));
      QT_TRY_VOID(write(list.items[i], level + 1));
    }
    if (!list.items.empty()) QT_TRY_VOID(new_line(level));
    out_ += ']';
    return {};
  }

  Result<void> write_dict(const Dict& dict, int level) {
    using Item = std::pair<Value, Value>;
    std::vector<const Item*> items;
    for (const Item& entry : dict.items) items.push_back(&entry);
    if (style_.sort_keys) {
      std::ranges::stable_sort(items, [](const Item* a, const Item* b) {
        const auto ordering = order(a->first, b->first);
        return ordering.has_value() && *ordering < 0;
      });
    }
    out_ += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.between_items;
      QT_TRY_VOID(new_line(level + 1));
      const Value& key = items[i]->first;
      QT_TRY(std::string text, key.is_text() ? Result<std::string>(key.str()) : scalar(key));
      QT_TRY_VOID(string(text));
      out_ += style_.after_key;
      QT_TRY_VOID(write(items[i]->second, level + 1));
    }
    if (!items.empty()) QT_TRY_VOID(new_line(level));
    out_ += '}';
    return {};
  }

  Budget& budget_;
  const JsonStyle& style_;
  std::string out_;
};

}  // namespace

Result<std::string> to_json(Budget& budget, const Value& value, const JsonStyle& style) {
  Writer writer(budget, style);
  QT_TRY_VOID(writer.write(value, 0));
  return writer.take();
}

}  // namespace quintet::io::templates
