// Tokens to syntax. Source: Jinja 3.1's parser; what templates of chats do not use is refused.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/lexer.h"
#include "quintet/io/templates/syntax.h"

namespace quintet::io::templates {

// The tokens of one template, one after the other; what both parsers share.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string_view name, const TemplateLimits& limits)
      : tokens_(std::move(tokens)), name_(name), limits_(limits) {}

  const Token& peek(size_t offset = 0) const {
    return tokens_[std::min(at_ + offset, tokens_.size() - 1)];
  }
  const Token& take() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }

  bool is(Token::Kind kind, size_t offset = 0) const { return peek(offset).kind == kind; }
  bool is_operator(std::string_view text, size_t offset = 0) const {
    return is(Token::Kind::kOperator, offset) && peek(offset).text == text;
  }
  bool is_name(std::string_view text, size_t offset = 0) const {
    return is(Token::Kind::kName, offset) && peek(offset).text == text;
  }
  bool take_operator(std::string_view text) { return is_operator(text) && (take(), true); }
  bool take_name(std::string_view text) { return is_name(text) && (take(), true); }

  // Errors of all: kCorrupt, "name:line: expected ..., found ...".
  Result<void> expect_operator(std::string_view text);
  Result<void> expect(Token::Kind kind, std::string_view what);
  Result<std::string> expect_name(std::string_view what);
  Error expected(std::string_view what) const;
  Error error(Code code, std::string what) const;

  const TemplateLimits& limits() const { return limits_; }

  // Open while something is parsed that may hold more of its kind.
  class Nesting {
   public:
    explicit Nesting(TokenStream& stream) : stream_(stream) { ++stream_.depth_; }
    ~Nesting() { --stream_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    TokenStream& stream_;
  };
  // Errors: kExhausted.
  Result<void> check_nesting() const;

 private:
  std::vector<Token> tokens_;
  std::string_view name_;
  const TemplateLimits& limits_;
  size_t at_ = 0;
  int depth_ = 0;
};

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  // With `a if b else c`, and without where a following `if` belongs to the statement.
  Result<ExpressionRef> expression();
  Result<ExpressionRef> expression_without_condition();
  // The same, where commas make a tuple.
  Result<ExpressionRef> tuple_or_expression();
  Result<ExpressionRef> tuple_or_expression_without_condition();
  // `| filter | filter`, on what `input` gives; null stands for what the statement brings.
  Result<ExpressionRef> filters(ExpressionRef input);

 private:
  // An expression in the making.
  struct Draft {
    std::unique_ptr<Expression> expression;
    Expression* operator->() const { return expression.get(); }
    void add(ExpressionRef part) const { expression->parts.push_back(std::move(part)); }
  };
  Draft draft(Expression::Kind kind) const;
  Result<ExpressionRef> finish(Draft draft) const;
  Result<ExpressionRef> binary(Expression::Kind kind, Operator op, ExpressionRef left,
                               ExpressionRef right) const;

  Result<ExpressionRef> tuple(bool with_condition);
  Result<ExpressionRef> disjunction();
  Result<ExpressionRef> conjunction();
  Result<ExpressionRef> negation();
  Result<ExpressionRef> comparison();
  Result<ExpressionRef> sum();
  Result<ExpressionRef> concatenation();
  Result<ExpressionRef> product();
  Result<ExpressionRef> power();
  Result<ExpressionRef> unary(bool with_filters);
  Result<ExpressionRef> primary();
  Result<ExpressionRef> name();
  Result<ExpressionRef> number();
  Result<ExpressionRef> parentheses();
  Result<ExpressionRef> list();
  Result<ExpressionRef> dict();
  Result<ExpressionRef> postfix(ExpressionRef object);
  Result<ExpressionRef> attribute(ExpressionRef object);
  Result<ExpressionRef> subscript(ExpressionRef object);
  Result<ExpressionRef> slice(Draft draft);
  Result<ExpressionRef> filters_and_tests(ExpressionRef input);
  Result<ExpressionRef> filter(ExpressionRef input);
  Result<ExpressionRef> test(ExpressionRef input);
  Result<ExpressionRef> call(ExpressionRef callee);
  Result<void> arguments(Draft& draft);

  TokenStream& tokens_;
};

// Errors: kCorrupt, kUnsupported, kExhausted; they begin with "name:line: ".
Result<Program> parse_program(std::string_view source, std::string_view name,
                              const TemplateLimits& limits);

}  // namespace quintet::io::templates
