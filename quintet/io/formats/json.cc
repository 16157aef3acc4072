#include "quintet/io/formats/json.h"

#include <limits>
#include <optional>
#include <utility>

#include "quintet/core/file.h"
#include "quintet/io/formats/tensor_table.h"

namespace quintet::io {
namespace {

using nlohmann::json;

// Builds the document while the parser walks the text, and stops it at the first broken limit.
class LimitedBuilder final : public nlohmann::json_sax<json> {
 public:
  explicit LimitedBuilder(const JsonLimits& limits) : limits_(limits) {}

  json take_document() { return std::move(document_); }
  Error take_error() {
    if (error_) return *std::move(error_);
    return Error(Code::kInternal, "the JSON parser stopped without a reason");
  }

  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return add(value) != nullptr;
  }
  bool string(string_t& value) override { return add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return fail(Code::kCorrupt, "binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(json::value_t::object); }
  bool start_array(std::size_t) override { return open(json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [place, is_new] = open_.back()->emplace(name, nullptr);
    if (!is_new) return fail(Code::kCorrupt, "the key " + in_quotes(name) + " stands twice");
    field_ = &place.value();
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& reason) override {
    // The parser's message quotes the text it read last, which may be long and is not needed
    // beside the offset.
    std::string what = reason.what();
    what.erase(0, what.find("] ") == std::string::npos ? 0 : what.find("] ") + 2);
    if (const size_t start = what.find("syntax error"); start != std::string::npos) {
      what.erase(0, start);
    }
    if (const size_t quote = what.find("; last read"); quote != std::string::npos) {
      what.erase(quote);
    }
    constexpr size_t kMaxMessage = 160;
    return fail(Code::kCorrupt, "not valid JSON at byte " + std::to_string(position) + ": " +
                                    what.substr(0, kMaxMessage));
  }

 private:
  bool fail(Code code, std::string message) {
    error_.emplace(code, std::move(message));
    return false;
  }

  // Puts a value where the text has it; nullptr where there are too many.
  json* add(json value) {
    if (++values_ > limits_.max_values) {
      fail(Code::kExhausted,
           "has more than " + std::to_string(limits_.max_values) + " values, the limit");
      return nullptr;
    }
    json* place = &document_;
    if (!open_.empty()) {
      if (open_.back()->is_array()) {
        open_.back()->push_back(std::move(value));
        return &open_.back()->back();
      }
      place = field_;
    }
    *place = std::move(value);
    return place;
  }

  bool open(json::value_t type) {
    if (static_cast<int>(open_.size()) >= limits_.max_depth) {
      return fail(Code::kExhausted,
                  "is nested deeper than " + std::to_string(limits_.max_depth) + ", the limit");
    }
    json* place = add(json(type));
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  json document_;
  std::vector<json*> open_;  // Objects and lists around the current place, outermost first.
  json* field_ = nullptr;    // Where the value of the last key goes.
  int64_t values_ = 0;
  std::optional<Error> error_;
};

std::string key_name(std::string_view key) { return "key " + in_quotes(key); }

Error wrong_type(std::string_view key, const char* expected, const json& found) {
  std::string what = found.type_name();
  if (found.is_number()) what = "the number " + found.dump();
  return Error(Code::kCorrupt, key_name(key) + ": expected " + expected + ", found " + what);
}

// The value under `key`; nullptr where it is missing.
Result<const json*> find_field(const json& object, std::string_view key) {
  if (!object.is_object()) {
    return Error(Code::kCorrupt,
                 key_name(key) + ": expected it in an object, found " + object.type_name());
  }
  const auto place = object.find(key);
  return place == object.end() ? nullptr : &*place;
}

Result<int64_t> to_value(std::string_view key, const json& value, int64_t*) {
  constexpr const char* kExpected = "an integer of 64 bits";
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return wrong_type(key, kExpected, value);
    }
    return static_cast<int64_t>(number);
  }
  if (!value.is_number_integer()) return wrong_type(key, kExpected, value);
  return value.get<int64_t>();
}

Result<double> to_value(std::string_view key, const json& value, double*) {
  if (!value.is_number()) return wrong_type(key, "a number", value);
  return value.get<double>();
}

Result<bool> to_value(std::string_view key, const json& value, bool*) {
  if (!value.is_boolean()) return wrong_type(key, "true or false", value);
  return value.get<bool>();
}

Result<std::string> to_value(std::string_view key, const json& value, std::string*) {
  if (!value.is_string()) return wrong_type(key, "a string", value);
  return value.get_ref<const std::string&>();
}

template <typename T>
Result<std::vector<T>> to_value(std::string_view key, const json& value, std::vector<T>*) {
  if (!value.is_array()) return wrong_type(key, "a list", value);
  std::vector<T> list;
  list.reserve(value.size());
  for (const json& element : value) {
    QT_TRY(T item, to_value(key, element, static_cast<T*>(nullptr)));
    list.push_back(std::move(item));
  }
  return list;
}

template <typename T>
Result<T> required(const json& object, std::string_view key) {
  QT_TRY(const json* value, find_field(object, key));
  if (value == nullptr) return Error(Code::kCorrupt, key_name(key) + " is missing");
  return to_value(key, *value, static_cast<T*>(nullptr));
}

template <typename T>
Result<T> optional(const json& object, std::string_view key, T fallback) {
  QT_TRY(const json* value, find_field(object, key));
  if (value == nullptr || value->is_null()) return fallback;
  return to_value(key, *value, static_cast<T*>(nullptr));
}

}  // namespace

Result<json> parse_json(std::string_view text, std::string_view name, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(Code::kExhausted, "has " + std::to_string(text.size()) + " bytes of JSON, more " +
                                       "than the limit of " + std::to_string(limits.max_bytes))
        .with(name);
  }
  LimitedBuilder builder(limits);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return builder.take_error().with(name);
  }
  return builder.take_document();
}

Result<json> read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  QT_TRY(const std::string text, read_file(path, limits.max_bytes));
  return parse_json(text, path.string(), limits);
}

Result<std::string> json_text(const json& value) {
  try {
    return value.dump();
  } catch (const json::exception&) {
    return Error(Code::kInvalidArgument, "a name or value is not UTF-8, as JSON needs it");
  }
}

Result<int64_t> int_field(const json& object, std::string_view key) {
  return required<int64_t>(object, key);
}
Result<int64_t> int_field(const json& object, std::string_view key, int64_t fallback) {
  return optional<int64_t>(object, key, fallback);
}
Result<double> number_field(const json& object, std::string_view key) {
  return required<double>(object, key);
}
Result<double> number_field(const json& object, std::string_view key, double fallback) {
  return optional<double>(object, key, fallback);
}
Result<bool> bool_field(const json& object, std::string_view key) {
  return required<bool>(object, key);
}
Result<bool> bool_field(const json& object, std::string_view key, bool fallback) {
  return optional<bool>(object, key, fallback);
}
Result<std::string> string_field(const json& object, std::string_view key) {
  return required<std::string>(object, key);
}
Result<std::string> string_field(const json& object, std::string_view key,
                                 std::string_view fallback) {
  return optional<std::string>(object, key, std::string(fallback));
}
Result<std::vector<int64_t>> int_list_field(const json& object, std::string_view key) {
  return required<std::vector<int64_t>>(object, key);
}
Result<std::vector<int64_t>> int_list_field(const json& object, std::string_view key,
                                            const std::vector<int64_t>& fallback) {
  return optional<std::vector<int64_t>>(object, key, fallback);
}
Result<std::vector<std::string>> string_list_field(const json& object, std::string_view key) {
  return required<std::vector<std::string>>(object, key);
}

Result<const json*> optional_object_field(const json& object, std::string_view key) {
  QT_TRY(const json* value, find_field(object, key));
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_object()) return wrong_type(key, "an object", *value);
  return value;
}

Result<const json*> object_field(const json& object, std::string_view key) {
  QT_TRY(const json* value, optional_object_field(object, key));
  if (value == nullptr) return Error(Code::kCorrupt, key_name(key) + ": expected an object");
  return value;
}

}  // namespace quintet::io
