#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/parser.h"

namespace quintet::io::templates {

using Kind = Expression::Kind;

namespace {

struct NamedOperator {
  std::string_view text;
  Operator op;
};

template <size_t N>
std::optional<Operator> find_operator(const std::array<NamedOperator, N>& table,
                                      const TokenStream& tokens) {
  for (const auto& [text, op] : table) {
    if (tokens.is_operator(text)) return op;
  }
  return std::nullopt;
}

}  // namespace

ExpressionParser::Draft ExpressionParser::draft(Kind kind) const {
  Draft draft{std::make_unique<Expression>()};
  draft->kind = kind;
  draft->line = tokens_.peek().line;
  return draft;
}

Result<ExpressionRef> ExpressionParser::finish(Draft draft) const {
  for (const ExpressionRef& part : draft->parts) {
    if (part != nullptr) draft->height = std::max(draft->height, part->height + 1);
  }
  if (draft->height > tokens_.limits().expression_height) {
    return tokens_.error(Code::kExhausted, "an expression has more than " +
                                               std::to_string(tokens_.limits().expression_height) +
                                               " operations that wait for each other, the limit");
  }
  return ExpressionRef(std::move(draft.expression));
}

Result<ExpressionRef> ExpressionParser::binary(Kind kind, Operator op, ExpressionRef left,
                                               ExpressionRef right) const {
  Draft node = draft(kind);
  node->operators = {op};
  node.add(std::move(left));
  node.add(std::move(right));
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::expression() {
  const TokenStream::Nesting nesting(tokens_);
  QT_TRY_VOID(tokens_.check_nesting());
  QT_TRY(ExpressionRef result, disjunction());
  while (tokens_.take_name("if")) {
    Draft node = draft(Kind::kConditional);
    QT_TRY(ExpressionRef condition, disjunction());
    node.add(std::move(condition));
    node.add(std::move(result));
    ExpressionRef otherwise;
    if (tokens_.take_name("else")) {
      QT_TRY(otherwise, expression());
    }
    node.add(std::move(otherwise));
    QT_TRY(result, finish(std::move(node)));
  }
  return result;
}

Result<ExpressionRef> ExpressionParser::expression_without_condition() { return disjunction(); }

Result<ExpressionRef> ExpressionParser::tuple(bool with_condition) {
  Draft node = draft(Kind::kTuple);
  bool has_comma = false;
  while (true) {
    QT_TRY(ExpressionRef part, with_condition ? expression() : disjunction());
    node.add(std::move(part));
    if (!tokens_.take_operator(",")) break;
    has_comma = true;
    const bool at_end = tokens_.is(Token::Kind::kBlockEnd) || tokens_.is(Token::Kind::kOutputEnd) ||
                        tokens_.is_operator(")");
    if (at_end) break;
  }
  if (!has_comma) return std::move(node->parts.front());
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::tuple_or_expression() { return tuple(true); }

Result<ExpressionRef> ExpressionParser::tuple_or_expression_without_condition() {
  return tuple(false);
}

Result<ExpressionRef> ExpressionParser::disjunction() {
  QT_TRY(ExpressionRef left, conjunction());
  while (tokens_.take_name("or")) {
    QT_TRY(ExpressionRef right, conjunction());
    QT_TRY(left, binary(Kind::kOr, {}, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionRef> ExpressionParser::conjunction() {
  QT_TRY(ExpressionRef left, negation());
  while (tokens_.take_name("and")) {
    QT_TRY(ExpressionRef right, negation());
    QT_TRY(left, binary(Kind::kAnd, {}, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionRef> ExpressionParser::negation() {
  if (!tokens_.is_name("not")) return comparison();
  const TokenStream::Nesting nesting(tokens_);
  QT_TRY_VOID(tokens_.check_nesting());
  Draft node = draft(Kind::kNot);
  tokens_.take();
  QT_TRY(ExpressionRef operand, negation());
  node.add(std::move(operand));
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::comparison() {
  constexpr std::array<NamedOperator, 6> kOperators = {{{"==", Operator::kEqual},
                                                        {"!=", Operator::kNotEqual},
                                                        {"<", Operator::kLess},
                                                        {"<=", Operator::kLessEqual},
                                                        {">", Operator::kGreater},
                                                        {">=", Operator::kGreaterEqual}}};
  Draft node = draft(Kind::kCompare);
  QT_TRY(ExpressionRef first, sum());
  node.add(std::move(first));
  while (true) {
    auto op = find_operator(kOperators, tokens_);
    if (tokens_.is_name("in")) op = Operator::kIn;
    if (tokens_.is_name("not") && tokens_.is_name("in", 1)) {
      tokens_.take();
      op = Operator::kNotIn;
    }
    if (!op) break;
    tokens_.take();
    node->operators.push_back(*op);
    QT_TRY(ExpressionRef next, sum());
    node.add(std::move(next));
  }
  if (node->operators.empty()) return std::move(node->parts.front());
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::sum() {
  constexpr std::array<NamedOperator, 2> kOperators = {
      {{"+", Operator::kAdd}, {"-", Operator::kSubtract}}};
  QT_TRY(ExpressionRef left, concatenation());
  while (const auto op = find_operator(kOperators, tokens_)) {
    tokens_.take();
    QT_TRY(ExpressionRef right, concatenation());
    QT_TRY(left, binary(Kind::kBinary, *op, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionRef> ExpressionParser::concatenation() {
  Draft node = draft(Kind::kConcat);
  do {
    QT_TRY(ExpressionRef part, product());
    node.add(std::move(part));
  } while (tokens_.take_operator("~"));
  if (node->parts.size() == 1) return std::move(node->parts.front());
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::product() {
  constexpr std::array<NamedOperator, 4> kOperators = {{{"*", Operator::kMultiply},
                                                        {"/", Operator::kDivide},
                                                        {"//", Operator::kFloorDivide},
                                                        {"%", Operator::kModulo}}};
  QT_TRY(ExpressionRef left, power());
  while (const auto op = find_operator(kOperators, tokens_)) {
    tokens_.take();
    QT_TRY(ExpressionRef right, power());
    QT_TRY(left, binary(Kind::kBinary, *op, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionRef> ExpressionParser::power() {
  QT_TRY(ExpressionRef left, unary(true));
  while (tokens_.take_operator("**")) {
    QT_TRY(ExpressionRef right, unary(true));
    QT_TRY(left, binary(Kind::kBinary, Operator::kPower, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionRef> ExpressionParser::unary(bool with_filters) {
  const TokenStream::Nesting nesting(tokens_);
  QT_TRY_VOID(tokens_.check_nesting());
  ExpressionRef result;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    Draft node = draft(tokens_.is_operator("-") ? Kind::kNegate : Kind::kPlus);
    tokens_.take();
    QT_TRY(ExpressionRef operand, unary(false));
    node.add(std::move(operand));
    QT_TRY(result, finish(std::move(node)));
  } else {
    QT_TRY(result, primary());
  }
  QT_TRY(result, postfix(std::move(result)));
  if (!with_filters) return result;
  return filters_and_tests(std::move(result));
}

Result<ExpressionRef> ExpressionParser::primary() {
  if (tokens_.is(Token::Kind::kName)) return name();
  if (tokens_.is(Token::Kind::kInteger) || tokens_.is(Token::Kind::kFloat)) return number();
  if (tokens_.is(Token::Kind::kString)) {
    Draft node = draft(Kind::kConstant);
    std::string text;
    while (tokens_.is(Token::Kind::kString)) text += tokens_.take().text;
    node->value = Value::text(std::move(text));
    return finish(std::move(node));
  }
  if (tokens_.is_operator("(")) return parentheses();
  if (tokens_.is_operator("[")) return list();
  if (tokens_.is_operator("{")) return dict();
  return tokens_.expected("a value");
}

Result<ExpressionRef> ExpressionParser::name() {
  Draft node = draft(Kind::kConstant);
  const std::string& word = tokens_.take().text;
  if (word == "true" || word == "True") {
    node->value = Value(true);
  } else if (word == "false" || word == "False") {
    node->value = Value(false);
  } else if (word == "none" || word == "None") {
    node->value = Value::none();
  } else {
    node->kind = Kind::kName;
    node->name = word;
  }
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::number() {
  Draft node = draft(Kind::kConstant);
  const Token& token = tokens_.peek();
  const char* end = token.text.data() + token.text.size();
  int64_t integer = 0;
  double number = 0;
  const bool is_float = token.kind == Token::Kind::kFloat;
  const auto read = is_float ? std::from_chars(token.text.data(), end, number)
                             : std::from_chars(token.text.data(), end, integer);
  if (read.ec != std::errc() || read.ptr != end) {
    return tokens_.error(Code::kCorrupt, in_quotes(token.text) + " is not a number of 64 bits");
  }
  node->value = is_float ? Value(number) : Value(integer);
  tokens_.take();
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::parentheses() {
  Draft empty = draft(Kind::kTuple);
  tokens_.take();
  if (tokens_.take_operator(")")) return finish(std::move(empty));
  QT_TRY(ExpressionRef inner, tuple(true));
  QT_TRY_VOID(tokens_.expect_operator(")"));
  return inner;
}

Result<ExpressionRef> ExpressionParser::list() {
  Draft node = draft(Kind::kList);
  tokens_.take();
  while (!tokens_.is_operator("]")) {
    QT_TRY(ExpressionRef item, expression());
    node.add(std::move(item));
    if (!tokens_.take_operator(",")) break;
  }
  QT_TRY_VOID(tokens_.expect_operator("]"));
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::dict() {
  Draft node = draft(Kind::kDict);
  tokens_.take();
  while (!tokens_.is_operator("}")) {
    QT_TRY(ExpressionRef key, expression());
    node.add(std::move(key));
    QT_TRY_VOID(tokens_.expect_operator(":"));
    QT_TRY(ExpressionRef value, expression());
    node.add(std::move(value));
    if (!tokens_.take_operator(",")) break;
  }
  QT_TRY_VOID(tokens_.expect_operator("}"));
  return finish(std::move(node));
}

}  // namespace quintet::io::templates
