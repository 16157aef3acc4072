#include "quintet/io/templates/date.h"

#include <array>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::io::templates {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

struct Fields {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned weekday = 0;
  int day_of_year = 0;
  std::chrono::hh_mm_ss<std::chrono::seconds> time{};
};

Fields fields_of(std::chrono::local_seconds moment) {
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const auto new_year = std::chrono::local_days(date.year() / 1 / 1);
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<unsigned>(date.month()),
          .day = static_cast<unsigned>(date.day()),
          .weekday = std::chrono::weekday(day).c_encoding(),
          .day_of_year = static_cast<int>((day - new_year).count()) + 1,
          .time = std::chrono::hh_mm_ss<std::chrono::seconds>(moment - day)};
}

std::string padded(int64_t number, size_t digits, bool pads) {
  std::string text = std::to_string(number);
  if (pads && text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

Result<std::string> conversion(const Fields& f, char letter, bool pads) {
  const auto hour = static_cast<int64_t>(f.time.hours().count());
  switch (letter) {
    case '%': return std::string("%");
    case 'Y': return padded(f.year, 4, pads);
    case 'y': return padded(f.year % 100, 2, pads);
    case 'm': return padded(f.month, 2, pads);
    case 'd': return padded(f.day, 2, pads);
    case 'j': return padded(f.day_of_year, 3, pads);
    case 'H': return padded(hour, 2, pads);
    case 'I': return padded((hour + 11) % 12 + 1, 2, pads);
    case 'M': return padded(f.time.minutes().count(), 2, pads);
    case 'S': return padded(f.time.seconds().count(), 2, pads);
    case 'p': return std::string(hour < 12 ? "AM" : "PM");
    case 'B': return std::string(kMonths[f.month - 1]);
    case 'b': return std::string(kMonths[f.month - 1].substr(0, 3));
    case 'A': return std::string(kDays[f.weekday]);
    case 'a': return std::string(kDays[f.weekday].substr(0, 3));
    default:
      return Error(Code::kUnsupported, "the date format has no conversion " +
                                           in_quotes(std::string("%") + letter) + " here");
  }
}

}  // namespace

Result<std::string> format_date(std::chrono::local_seconds time, std::string_view format) {
  const Fields fields = fields_of(time);
  std::string out;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    const bool pads = format[at + 1] != '-' || at + 2 == format.size();
    at += pads ? 1 : 2;
    QT_TRY(const std::string text, conversion(fields, format[at], pads));
    out += text;
  }
  return out;
}

}  // namespace quintet::io::templates
