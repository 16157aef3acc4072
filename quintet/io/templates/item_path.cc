#include "quintet/io/templates/item_path.h"

#include <algorithm>
#include <charconv>

#include "quintet/io/templates/operators.h"

namespace quintet::io::templates {

Result<ItemPath> ItemPath::parse(const Value* attribute) {
  ItemPath path;
  if (attribute == nullptr || attribute->is<None>()) return path;
  if (attribute->is<int64_t>()) {
    path.keys_.push_back(*attribute);
    return path;
  }
  if (!attribute->is_text()) {
    return Error(Code::kInvalidArgument,
                 "expected the name of an attribute, found " + std::string(kind_name(*attribute)));
  }
  std::string_view rest = attribute->str();
  while (true) {
    const std::string_view key = rest.substr(0, rest.find('.'));
    int64_t index = 0;
    const auto read = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool is_index =
        !key.empty() && read.ec == std::errc() && read.ptr == key.data() + key.size() && index >= 0;
    path.keys_.push_back(is_index ? Value(index) : Value::text(key));
    if (key.size() == rest.size()) return path;
    rest.remove_prefix(key.size() + 1);
  }
}

Result<Value> ItemPath::follow(Budget& budget, const Value& value, const Value* fallback) const {
  Value at = value;
  for (const Value& key : keys_) {
    QT_TRY(at, item(budget, at, key));
    if (fallback != nullptr && at.is_undefined()) at = *fallback;
  }
  return at;
}

}  // namespace quintet::io::templates
