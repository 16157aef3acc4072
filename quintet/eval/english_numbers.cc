#include "quintet/eval/english_numbers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quintet/io/tokenizers/unicode.h"

namespace quintet::eval {
namespace {

constexpr size_t kMaxFigures = 256;  // Said side by side; a longer number is cut.
// Of integers that are calculated with. The sum of two below the limit fits int64.
constexpr size_t kMaxDigits = 18;
constexpr int64_t kIntegerLimit = 1'000'000'000'000'000'000;

enum class Kind {
  kZero,           // "oh": a digit 0.
  kUnit,           // "one" to "nineteen".
  kTen,            // "twenty" to "ninety".
  kMultiplier,     // "hundred", "million".
  kSignBefore,     // "minus": a sign for the number that follows.
  kCurrencyAfter,  // "dollars": a sign for the number before.
  kPercent,
  kPer,  // Of "per cent".
  kAnd,
  kRepeat,  // "double", "triple".
  kPoint,
};

struct Word {
  Kind kind = Kind::kZero;
  int64_t value = 0;
  std::string suffix;  // "th" of "fourth", "s" of "sixties": the number ends here.
  std::string sign;
};

std::string ordinal_of(const std::string& name) {
  static const std::unordered_map<std::string, std::string> kIrregular = {
      {"one", "first"},    {"two", "second"}, {"three", "third"},   {"five", "fifth"},
      {"eight", "eighth"}, {"nine", "ninth"}, {"twelve", "twelfth"}};
  if (const auto found = kIrregular.find(name); found != kIrregular.end()) return found->second;
  if (name.back() == 'y') return name.substr(0, name.size() - 1) + "ieth";
  return name + "th";
}

std::string plural_of(const std::string& name) {
  if (name.back() == 'y') return name.substr(0, name.size() - 1) + "ies";
  if (name == "six") return "sixes";
  return name + "s";
}

const char* ordinal_suffix(const std::string& ordinal) {
  if (ordinal == "first") return "st";
  if (ordinal == "second") return "nd";
  if (ordinal == "third") return "rd";
  return "th";
}

using Words = std::unordered_map<std::string, Word>;

void add_number(Words& words, Kind kind, const std::string& name, int64_t value) {
  words[name] = {kind, value, "", ""};
  // "ones" and "hundredths" of things are seldom figures.
  const std::string ordinal = ordinal_of(name);
  words[ordinal] = {kind, value, ordinal_suffix(ordinal), ""};
  if (name != "one") words[plural_of(name)] = {kind, value, "s", ""};
}

const Words& words() {
  static const Words kWords = [] {
    Words out;
    constexpr std::array kUnits = {"one",     "two",       "three",    "four",     "five",
                                   "six",     "seven",     "eight",    "nine",     "ten",
                                   "eleven",  "twelve",    "thirteen", "fourteen", "fifteen",
                                   "sixteen", "seventeen", "eighteen", "nineteen"};
    constexpr std::array kTens = {"twenty", "thirty",  "forty",  "fifty",
                                  "sixty",  "seventy", "eighty", "ninety"};
    int64_t value = 0;
    for (const char* name : kUnits) add_number(out, Kind::kUnit, name, ++value);
    value = 10;
    for (const char* name : kTens) add_number(out, Kind::kTen, name, value += 10);
    add_number(out, Kind::kMultiplier, "hundred", 100);
    value = 1;
    for (const char* name : {"thousand", "million", "billion", "trillion", "quadrillion"})
      add_number(out, Kind::kMultiplier, name, value *= 1000);
    for (const char* name : {"o", "oh", "zero"}) out[name] = {Kind::kZero, 0, "", ""};
    out["zeroth"] = {Kind::kUnit, 0, "th", ""};
    for (const char* name : {"minus", "negative"}) out[name] = {Kind::kSignBefore, 0, "", "-"};
    for (const char* name : {"plus", "positive"}) out[name] = {Kind::kSignBefore, 0, "", "+"};
    constexpr std::array<std::pair<const char*, const char*>, 4> kCurrencies = {
        {{"pound", "£"}, {"euro", "€"}, {"dollar", "$"}, {"cent", "¢"}}};
    for (const auto& [name, sign] : kCurrencies) {
      out[name] = {Kind::kCurrencyAfter, 0, "", sign};
      out[std::string(name) + "s"] = {Kind::kCurrencyAfter, 0, "", sign};
    }
    out["percent"] = {Kind::kPercent, 0, "", ""};
    out["per"] = {Kind::kPer, 0, "", ""};
    out["and"] = {Kind::kAnd, 0, "", ""};
    out["double"] = {Kind::kRepeat, 2, "", ""};
    out["triple"] = {Kind::kRepeat, 3, "", ""};
    out["point"] = {Kind::kPoint, 0, "", ""};
    return out;
  }();
  return kWords;
}

const Word* find_word(const std::string& token) {
  const auto found = words().find(token);
  return found == words().end() ? nullptr : &found->second;
}

bool is_plain(const Word* word, Kind kind) {
  return word != nullptr && word->kind == kind && word->suffix.empty();
}

// A unit, ten or zero: what can follow "point".
bool is_decimal(const Word* word) {
  return is_plain(word, Kind::kZero) || is_plain(word, Kind::kUnit) || is_plain(word, Kind::kTen);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "12", "1.5", no sign.
bool is_figure(std::string_view token) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < token.size() && is_digit(token[at])) ++at;
    return at > begin;
  };
  if (!digits()) return false;
  if (at == token.size()) return true;
  return token[at++] == '.' && digits() && at == token.size();
}

// The number as read so far: an integer that words still change, or figures side by side.
struct Number {
  bool is_text = false;
  int64_t integer = 0;
  std::string text;

  std::string figures() const { return is_text ? text : std::to_string(integer); }
};

Number integer_number(int64_t value) { return {.is_text = false, .integer = value, .text = ""}; }
Number text_number(std::string text) { return {.is_text = true, .integer = 0, .text = text}; }

// "007" and "3.0" are the integers 7 and 3; other figures stay as they are.
Number number_of(const std::string& figure) {
  const size_t point = figure.find('.');
  const bool has_fraction =
      point != std::string::npos && figure.find_first_not_of('0', point + 1) != std::string::npos;
  const std::string whole = figure.substr(0, point);
  if (has_fraction || whole.size() > kMaxDigits) return text_number(figure);
  return integer_number(std::stoll(whole));
}

// a * b, where it is below the limit. REQUIRES: a >= 0, b > 0.
std::optional<int64_t> product(int64_t a, int64_t b) {
  if (a >= kIntegerLimit / b) return std::nullopt;
  return a * b;
}

// "2.5" times a million, where that is an integer.
std::optional<int64_t> product(const std::string& figures, int64_t multiplier) {
  std::string digits;
  bool in_fraction = false;
  for (const char c : figures) {
    if (c == '.') {
      if (in_fraction) return std::nullopt;
      in_fraction = true;
      continue;
    }
    digits += c;
    if (!in_fraction) continue;
    if (multiplier % 10 == 0)
      multiplier /= 10;
    else if (c != '0')
      return std::nullopt;
    else
      digits.pop_back();
  }
  if (digits.empty() || digits.size() > kMaxDigits) return std::nullopt;
  return product(std::stoll(digits), multiplier);
}

// Reads words one by one and writes what they mean.
class Reader {
 public:
  explicit Reader(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  std::string read() {
    for (at_ = 0; at_ < tokens_.size(); ++at_) take(tokens_[at_]);
    finish();
    return std::move(out_);
  }

 private:
  const std::string* next_token() const {
    return at_ + 1 < tokens_.size() ? &tokens_[at_ + 1] : nullptr;
  }
  const Word* next_word() const { return next_token() ? find_word(*next_token()) : nullptr; }
  const Word* previous_word() const { return at_ > 0 ? find_word(tokens_[at_ - 1]) : nullptr; }
  bool next_is_figure() const { return next_token() && is_figure(*next_token()); }

  void write(std::string_view text) {
    if (!out_.empty()) out_ += ' ';
    out_.append(sign_).append(text);
    sign_.clear();
    number_.reset();
  }
  void finish(std::string_view suffix = "") {
    if (number_) write(number_->figures().append(suffix));
  }
  void finish_and_write(std::string_view text) {
    finish();
    write(text);
  }

  void take(const std::string& token);
  void take_figure(const std::string& figure, std::string_view sign);
  void take_unit(const Word& word);
  void take_ten(const Word& word);
  void take_multiplier(const Word& word);
  void take_joiner(const Word& word, const std::string& token);

  // Puts `value` into the number, and ends it where the word is an ordinal or plural.
  void set(Number value, const Word& word) {
    number_ = std::move(value);
    if (!word.suffix.empty()) finish(word.suffix);
  }
  std::string figures_so_far() const { return number_ ? number_->figures() : ""; }

  std::vector<std::string> tokens_;
  size_t at_ = 0;
  std::string out_;
  std::string sign_;
  std::optional<Number> number_;
};

void Reader::take(const std::string& token) {
  if (number_ && number_->text.size() > kMaxFigures) finish();
  for (const std::string_view sign : {"$", "¢", "€", "£"})
    if (token.starts_with(sign) && is_figure(std::string_view(token).substr(sign.size())))
      return take_figure(token.substr(sign.size()), sign);
  if (is_figure(token)) return take_figure(token, "");
  const Word* word = find_word(token);
  if (word == nullptr) return finish_and_write(token);

  switch (word->kind) {
    case Kind::kZero: number_ = text_number(figures_so_far() + "0"); return;
    case Kind::kUnit: return take_unit(*word);
    case Kind::kTen: return take_ten(*word);
    case Kind::kMultiplier: return take_multiplier(*word);
    case Kind::kSignBefore:
      finish();
      if (next_word() == nullptr && !next_is_figure()) return write(token);
      sign_ = word->sign;
      return;
    case Kind::kCurrencyAfter:
      if (!number_) return write(token);
      sign_ = word->sign;
      return finish();
    case Kind::kPercent: return number_ ? finish("%") : write(token);
    case Kind::kPer:
      if (!number_ || next_token() == nullptr || *next_token() != "cent")
        return finish_and_write(token);
      ++at_;
      return finish("%");
    case Kind::kAnd:
    case Kind::kRepeat:
    case Kind::kPoint: return take_joiner(*word, token);
  }
}

void Reader::take_figure(const std::string& figure, std::string_view sign) {
  if (number_ && number_->is_text && number_->text.ends_with('.')) {
    number_->text += figure;
    return;
  }
  finish();
  if (!sign.empty()) sign_ = sign;
  number_ = number_of(figure);
}

void Reader::take_unit(const Word& word) {
  const std::string figures = std::to_string(word.value);
  const Word* previous = previous_word();
  const bool is_digit_of_ten = is_plain(previous, Kind::kTen) && word.value < 10;
  if (!number_) return set(integer_number(word.value), word);
  if (number_->is_text || is_plain(previous, Kind::kUnit)) {
    std::string text = number_->figures();
    if (is_digit_of_ten && text.ends_with('0')) text.pop_back();
    return set(text_number(text + figures), word);
  }
  const int64_t room = word.value < 10 ? 10 : 100;
  if (number_->integer % room == 0) return set(integer_number(number_->integer + word.value), word);
  set(text_number(number_->figures() + figures), word);
}

void Reader::take_ten(const Word& word) {
  if (!number_) return set(integer_number(word.value), word);
  if (!number_->is_text && number_->integer % 100 == 0)
    return set(integer_number(number_->integer + word.value), word);
  set(text_number(number_->figures() + std::to_string(word.value)), word);
}

void Reader::take_multiplier(const Word& word) {
  if (!number_) return set(integer_number(word.value), word);
  // In an integer the multiplier is of the last three digits: 101,002 hundred is 101,200.
  const int64_t before = number_->is_text ? 0 : number_->integer / 1000 * 1000;
  const std::optional<int64_t> scaled = number_->is_text || number_->integer == 0
                                            ? product(number_->figures(), word.value)
                                            : product(number_->integer - before, word.value);
  if (scaled && before + *scaled < kIntegerLimit)
    return set(integer_number(before + *scaled), word);
  finish();
  set(integer_number(word.value), word);
}

void Reader::take_joiner(const Word& word, const std::string& token) {
  const Word* next = next_word();
  if (next == nullptr && !next_is_figure()) return finish_and_write(token);
  if (word.kind == Kind::kAnd) {
    if (!is_plain(previous_word(), Kind::kMultiplier)) finish_and_write(token);
    return;
  }
  if (word.kind == Kind::kPoint) {
    if (is_decimal(next) || next_is_figure()) number_ = text_number(figures_so_far() + ".");
    return;
  }
  if (!is_plain(next, Kind::kUnit) && !is_plain(next, Kind::kZero)) return finish_and_write(token);
  std::string text = figures_so_far();
  for (int64_t i = 0; i < word.value; ++i) text += std::to_string(next->value);
  number_ = text_number(std::move(text));
  ++at_;
}

std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) tokens.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return tokens;
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Parts "5km" and "mp3", but keeps "21st" and "1990s" together, and "21 st" as well.
std::vector<std::string> part_figures_and_letters(const std::vector<std::string>& tokens) {
  std::vector<std::string> parted;
  for (const std::string& token : tokens) {
    parted.emplace_back();
    for (const char c : token) {
      std::string& part = parted.back();
      const char last = part.empty() ? ' ' : part.back();
      if ((is_letter(last) && is_digit(c)) || (is_digit(last) && is_letter(c)))
        parted.emplace_back();
      parted.back() += c;
    }
  }
  std::vector<std::string> out;
  for (const std::string& part : parted) {
    const bool is_suffix =
        part == "st" || part == "nd" || part == "rd" || part == "th" || part == "s";
    if (is_suffix && !out.empty() && is_digit(out.back().back()))
      out.back() += part;
    else
      out.push_back(part);
  }
  return out;
}

// "two and a half" -> "two point five".
std::vector<std::string> halves_as_decimals(const std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Word* last = out.empty() ? nullptr : find_word(out.back());
    const bool is_half = i + 2 < tokens.size() && tokens[i] == "and" && tokens[i + 1] == "a" &&
                         tokens[i + 2] == "half";
    if (is_half && (is_decimal(last) || is_plain(last, Kind::kMultiplier))) {
      out.insert(out.end(), {"point", "five"});
      i += 2;
    } else {
      out.push_back(tokens[i]);
    }
  }
  return out;
}

bool is_currency(const std::string& sign) { return sign == "$" || sign == "€" || sign == "£"; }

// The currency sign in front of `token`; empty where there is none.
std::string currency_of(const std::string& token) {
  const io::CodePoint first = io::code_point_at(token, 0);
  const std::string sign = token.substr(0, first.bytes);
  return is_currency(sign) ? sign : "";
}

// One or two digits of cents in "¢5"; -1 where `token` is something else.
int cents_of(const std::string& token) {
  constexpr std::string_view kCent = "¢";
  if (!token.starts_with(kCent)) return -1;
  const std::string digits = token.substr(kCent.size());
  if (digits.empty() || digits.size() > 2 || !is_figure(digits)) return -1;
  return std::stoi(digits);
}

// "$20 and ¢5" -> "$20.05", "$0.50" -> "¢50".
std::vector<std::string> currency_with_cents(const std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string token = tokens[i];
    const std::string sign = currency_of(token);
    const std::string amount = token.substr(sign.size());
    if (!sign.empty() && is_figure(amount)) {
      const size_t at = i + 1 < tokens.size() && tokens[i + 1] == "and" ? i + 2 : i + 1;
      const int cents = at < tokens.size() ? cents_of(tokens[at]) : -1;
      if (cents >= 0 && amount.find('.') == std::string::npos) {
        token += cents < 10 ? ".0" : ".";
        token += std::to_string(cents);
        i = at;
      } else if (amount.starts_with("0.") && amount.size() <= 4) {
        token = "¢";
        token += std::to_string(std::stoi(amount.substr(2)));
      }
    }
    out.push_back(std::move(token));
  }
  return out;
}

// Each "1" and "1s" between word boundaries as "one" and "ones".
std::string single_ones_as_words(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const size_t end = text.substr(at).starts_with("1s") ? at + 2 : at + 1;
    const io::CodePoint before = io::code_point_before(text, at);
    const io::CodePoint after = io::code_point_at(text, end);
    const bool stands_alone = (before.bytes == 0 || !io::is_word(before.value)) &&
                              (after.bytes == 0 || !io::is_word(after.value));
    if (text[at] == '1' && stands_alone)
      out += "one";
    else
      out += text[at];
  }
  return out;
}

}  // namespace

std::string english_numbers_to_digits(std::string_view text) {
  std::vector<std::string> tokens = part_figures_and_letters(halves_as_decimals(tokens_of(text)));
  tokens = currency_with_cents(tokens_of(Reader(std::move(tokens)).read()));
  std::string joined;
  for (const std::string& token : tokens) {
    if (!joined.empty()) joined += ' ';
    joined += token;
  }
  return single_ones_as_words(joined);
}

}  // namespace quintet::eval
