#include "quintet/io/templates/lexer.h"

#include <algorithm>
#include <array>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/text.h"
#include "quintet/io/tokenizers/unicode.h"

namespace quintet::io::templates {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Line ends as "\n", and without the last one: Jinja's keep_trailing_newline is off.
std::string normalized(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string source, std::string_view name) : source_(std::move(source)), name_(name) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) QT_TRY_VOID(next_part());
    push(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  char peek(size_t offset = 0) const {
    return at_ + offset < source_.size() ? source_[at_ + offset] : '\0';
  }
  Error error(std::string what) const {
    return Error(Code::kCorrupt,
                 std::string(name_) + ":" + std::to_string(line_) + ": " + std::move(what));
  }
  void push(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }
  void advance(size_t bytes) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                    source_.begin() + static_cast<ptrdiff_t>(at_ + bytes), '\n'));
    at_ += bytes;
  }
  // The same, and remembers whether a line begins here now.
  void finish_tag(size_t bytes) {
    advance(bytes);
    line_starting_ = source_[at_ - 1] == '\n';
  }
  // White space from `offset` on.
  size_t spaces(size_t offset) const {
    const std::string_view text = rest().substr(std::min(offset, rest().size()));
    return text.size() - strip(text, {.right = false}).size();
  }
  // What to drop after a tag whose end, `bytes` long, begins here.
  size_t tag_end(size_t bytes, char sign, bool trims_newline) const {
    if (sign == '-') return bytes + spaces(bytes);
    return bytes + (trims_newline && sign != '+' && peek(bytes) == '\n' ? 1 : 0);
  }

  // Text up to the next tag, and the tag.
  Result<void> next_part() {
    size_t begin = at_;
    while (true) {
      begin = source_.find('{', begin);
      if (begin == std::string::npos || begin + 1 >= source_.size()) {
        push(Token::Kind::kText, std::string(rest()));
        advance(rest().size());
        return {};
      }
      if (std::string_view("{%#").find(source_[begin + 1]) != std::string_view::npos) break;
      ++begin;
    }
    const char kind = source_[begin + 1];
    const char after = begin + 2 < source_.size() ? source_[begin + 2] : '\0';
    const char sign = after == '-' || after == '+' ? after : '\0';
    push_text(rest().substr(0, begin - at_), sign, kind != '{');
    advance(begin - at_ + 2 + (sign != '\0' ? 1 : 0));
    if (kind == '#') return comment();
    if (kind == '%' && is_tag("raw", 0)) return raw();
    return code(kind == '%');
  }

  void push_text(std::string_view text, char sign, bool strips_line) {
    if (sign == '-') {
      text = strip(text, {.left = false});
    } else if (sign != '+' && strips_line) {
      const size_t line = text.rfind('\n') + 1;  // npos + 1 == 0.
      const bool blank = strip(text.substr(line)).empty();
      if ((line > 0 || line_starting_) && blank) text = text.substr(0, line);
    }
    if (!text.empty()) push(Token::Kind::kText, std::string(text));
  }

  Result<void> comment() {
    const size_t end = rest().find("#}");
    if (end == std::string_view::npos) return error("the comment has no end, '#}'");
    const char sign = end > 0 ? rest()[end - 1] : '\0';
    advance(end);
    finish_tag(tag_end(2, sign, true));
    return {};
  }

  // Whether a tag goes on from `offset` with the word alone.
  bool is_tag(std::string_view word, size_t offset) const {
    offset += spaces(offset);
    if (!rest().substr(std::min(offset, rest().size())).starts_with(word)) return false;
    offset += word.size();
    offset += spaces(offset);
    const std::string_view end = rest().substr(std::min(offset, rest().size()));
    return end.starts_with("%}") || end.starts_with("-%}") || end.starts_with("+%}");
  }

  Result<void> raw() {
    const size_t close = rest().find("%}");
    const char sign = rest()[close - 1];
    advance(close);
    finish_tag(tag_end(2, sign, false));
    for (size_t at = 0; (at = rest().find("{%", at)) != std::string_view::npos; at += 2) {
      const char after = peek(at + 2);
      const char end_sign = after == '-' || after == '+' ? after : '\0';
      const size_t offset = at + 2 + (end_sign != '\0' ? 1 : 0);
      if (!is_tag("endraw", offset)) continue;
      push_text(rest().substr(0, at), end_sign, true);
      advance(rest().find("%}", offset));
      finish_tag(tag_end(2, source_[at_ - 1], true));
      return {};
    }
    return error("the raw block has no end, '{% endraw %}'");
  }

  // Where the tag ends: 0 bytes if not here.
  size_t end_of_code(bool is_block) {
    const char sign = peek() == '-' || (is_block && peek() == '+') ? peek() : '\0';
    const size_t offset = sign != '\0' ? 1 : 0;
    if (!rest().substr(offset).starts_with(is_block ? "%}" : "}}")) return 0;
    return tag_end(2 + offset, sign, is_block);
  }

  Result<void> code(bool is_block) {
    push(is_block ? Token::Kind::kBlockBegin : Token::Kind::kOutputBegin, "");
    std::string open;  // Brackets without their partner yet.
    while (true) {
      advance(spaces(0));
      if (at_ >= source_.size()) {
        return error(is_block ? "the block has no end, '%}'" : "the output has no end, '}}'");
      }
      if (open.empty()) {
        if (const size_t bytes = end_of_code(is_block); bytes > 0) {
          push(is_block ? Token::Kind::kBlockEnd : Token::Kind::kOutputEnd, "");
          finish_tag(bytes);
          return {};
        }
      }
      QT_TRY_VOID(code_token(open));
    }
  }

  Result<void> code_token(std::string& open) {
    const char c = peek();
    if (c == '\'' || c == '"') return string(c);
    if (is_digit(c)) return number();
    if (is_name_character(c)) {
      size_t bytes = 1;
      while (is_name_character(peek(bytes))) ++bytes;
      push(Token::Kind::kName, std::string(rest().substr(0, bytes)));
      advance(bytes);
      return {};
    }
    return operator_token(open);
  }

  Result<void> operator_token(std::string& open) {
    constexpr std::array<std::string_view, 6> kPairs = {"**", "//", "==", "!=", ">=", "<="};
    const char c = peek();
    const std::string_view two = rest().substr(0, 2);
    if (std::ranges::find(kPairs, two) != kPairs.end()) {
      push(Token::Kind::kOperator, std::string(two));
      advance(2);
      return {};
    }
    if (std::string_view("+-*/%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      return error("unexpected " + in_quotes(std::string(1, c)));
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c)
        return error("unexpected " + in_quotes(std::string(1, c)));
      open.pop_back();
    }
    push(Token::Kind::kOperator, std::string(1, c));
    advance(1);
    return {};
  }

  size_t digits(size_t offset) const {
    size_t bytes = 0;
    while (is_digit(peek(offset + bytes)) ||
           (bytes > 0 && peek(offset + bytes) == '_' && is_digit(peek(offset + bytes + 1)))) {
      ++bytes;
    }
    return bytes;
  }

  Result<void> number() {
    size_t bytes = digits(0);
    bool is_float = false;
    // After a point a number names an item: "pairs.0.1" has no float in it.
    const bool after_point = !tokens_.empty() && tokens_.back().text == "." &&
                             tokens_.back().kind == Token::Kind::kOperator;
    if (!after_point && peek(bytes) == '.' && digits(bytes + 1) > 0) {
      bytes += 1 + digits(bytes + 1);
      is_float = true;
    }
    if (!after_point && (peek(bytes) == 'e' || peek(bytes) == 'E')) {
      const size_t sign = peek(bytes + 1) == '-' || peek(bytes + 1) == '+' ? 1 : 0;
      if (const size_t exponent = digits(bytes + 1 + sign); exponent > 0) {
        bytes += 1 + sign + exponent;
        is_float = true;
      }
    }
    std::string text(rest().substr(0, bytes));
    std::erase(text, '_');
    push(is_float ? Token::Kind::kFloat : Token::Kind::kInteger, std::move(text));
    advance(bytes);
    return {};
  }

  Result<void> string(char quote) {
    const int begin_line = line_;
    std::string text;
    size_t at = 1;
    for (; peek(at) != quote; ++at) {
      if (at_ + at >= source_.size()) return error("the string has no end");
      if (peek(at) != '\\') {
        text += peek(at);
        continue;
      }
      ++at;
      if (at_ + at >= source_.size()) return error("the string has no end");
      QT_TRY_VOID(escape(at, text));
    }
    advance(at + 1);
    tokens_.push_back({Token::Kind::kString, std::move(text), begin_line});
    return {};
  }

  // The escape whose letter is at `at`, which moves to its last byte. Source: Python's literals.
  Result<void> escape(size_t& at, std::string& text) const {
    constexpr std::string_view kLetters = "abfnrtv\\'\"\n";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char letter = peek(at);
    if (const size_t i = kLetters.find(letter); i != std::string_view::npos) {
      if (i < kMeanings.size()) text += kMeanings[i];
      return {};
    }
    const bool octal = letter >= '0' && letter <= '7';
    const size_t wanted = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : octal ? 3 : 0;
    if (wanted == 0) {
      text += '\\';
      text += letter;
      return {};
    }
    char32_t value = 0;
    size_t count = 0;
    for (const size_t first = octal ? at : at + 1; count < wanted; ++count) {
      const char digit = peek(first + count);
      const size_t number =
          std::string_view("0123456789abcdef")
              .find(digit >= 'A' && digit <= 'F' ? static_cast<char>(digit + 32) : digit);
      if (digit == '\0' || number == std::string_view::npos || (octal && number > 7)) break;
      value = value * (octal ? 8 : 16) + static_cast<char32_t>(number);
    }
    if (!octal && count < wanted) return error("a string has an escape with too few digits");
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
      return error("a string has an escape that is no character");
    }
    append_utf8(text, value);
    at += octal ? count - 1 : count;
    return {};
  }

  const std::string source_;
  std::string_view name_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // Nothing stands on this line before the text at hand.
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source, std::string_view name,
                                    const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes) {
    return Error(Code::kExhausted, std::string(name) + ": has " + std::to_string(source.size()) +
                                       " bytes, more than the limit of " +
                                       std::to_string(limits.source_bytes));
  }
  return Lexer(normalized(source), name).run();
}

}  // namespace quintet::io::templates
