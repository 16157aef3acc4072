#include "quintet/engine/accuracy_check.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "quintet/io/formats/json.h"

namespace quintet {
namespace {

using nlohmann::json;

double rounded(double x) { return std::round(x * 1e4) / 1e4; }

json rate_to_json(const MeasuredRate& rate) {
  return {{"value", rounded(rate.value)}, {"interval", {rounded(rate.low), rounded(rate.high)}}};
}

Result<MeasuredRate> rate_from_json(const json& object, const char* key) {
  const auto read = [&]() -> Result<MeasuredRate> {
    QT_TRY(const json* rate, io::object_field(object, key));
    MeasuredRate out;
    QT_TRY(out.value, io::number_field(*rate, "value"));
    const auto interval = rate->find("interval");
    if (interval == rate->end() || !interval->is_array() || interval->size() != 2 ||
        !(*interval)[0].is_number() || !(*interval)[1].is_number()) {
      return Error(Code::kCorrupt, "interval must be two numbers");
    }
    out.low = (*interval)[0].get<double>();
    out.high = (*interval)[1].get<double>();
    return out;
  };
  return read().with(key);
}

Result<AccuracyCheck> read_check(const std::string& text) {
  QT_TRY(const json object, io::parse_json(text, "accuracy_check"));
  AccuracyCheck check;
  QT_TRY(check.data, io::string_field(object, "data"));
  QT_TRY(check.date, io::string_field(object, "date"));
  QT_TRY(check.items, io::int_field(object, "items"));
  QT_TRY(check.words, io::int_field(object, "words"));
  QT_TRY(check.original, rate_from_json(object, "word_error_rate_fp32"));
  QT_TRY(check.compressed, rate_from_json(object, "word_error_rate"));
  QT_TRY(check.difference, rate_from_json(object, "difference"));
  QT_TRY(check.agreement, io::number_field(object, "agreement_with_fp32"));
  QT_TRY(check.max_drop, io::number_field(object, "max_drop"));
  if (object.contains("threshold_db")) {
    QT_TRY(check.threshold_db, io::number_field(object, "threshold_db"));
  }
  return check;
}

}  // namespace

std::string accuracy_check_to_json(const AccuracyCheck& check) {
  json object = {{"data", check.data},
                 {"date", check.date},
                 {"items", check.items},
                 {"words", check.words},
                 {"word_error_rate_fp32", rate_to_json(check.original)},
                 {"word_error_rate", rate_to_json(check.compressed)},
                 {"difference", rate_to_json(check.difference)},
                 {"agreement_with_fp32", rounded(check.agreement)},
                 {"max_drop", rounded(check.max_drop)}};
  if (check.threshold_db) object["threshold_db"] = rounded(*check.threshold_db);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<AccuracyCheck> accuracy_check_from_json(const std::string& text) {
  return read_check(text).with("accuracy_check");
}

}  // namespace quintet
