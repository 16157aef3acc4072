// What follows a value in an expression: attributes, items, slices, calls, filters and tests.
#include <array>

#include "quintet/io/templates/parser.h"

namespace quintet::io::templates {

using Kind = Expression::Kind;

Result<ExpressionRef> ExpressionParser::postfix(ExpressionRef object) {
  while (true) {
    if (tokens_.is_operator(".")) {
      QT_TRY(object, attribute(std::move(object)));
    } else if (tokens_.is_operator("[")) {
      QT_TRY(object, subscript(std::move(object)));
    } else if (tokens_.is_operator("(")) {
      QT_TRY(object, call(std::move(object)));
    } else {
      return object;
    }
  }
}

Result<ExpressionRef> ExpressionParser::attribute(ExpressionRef object) {
  Draft node = draft(Kind::kAttribute);
  tokens_.take();
  node.add(std::move(object));
  if (tokens_.is(Token::Kind::kInteger)) {
    node->kind = Kind::kItem;
    QT_TRY(ExpressionRef index, number());
    node.add(std::move(index));
  } else {
    QT_TRY(node->name, tokens_.expect_name("the name of an attribute"));
  }
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::subscript(ExpressionRef object) {
  Draft node = draft(Kind::kItem);
  tokens_.take();
  node.add(std::move(object));
  if (tokens_.is_operator(":")) {
    node.add(nullptr);
    return slice(std::move(node));
  }
  QT_TRY(ExpressionRef index, expression());
  node.add(std::move(index));
  if (tokens_.is_operator(":")) return slice(std::move(node));
  QT_TRY_VOID(tokens_.expect_operator("]"));
  return finish(std::move(node));
}

// From the first colon on; the object and the begin are in `node`.
Result<ExpressionRef> ExpressionParser::slice(Draft node) {
  node->kind = Kind::kSlice;
  constexpr size_t kParts = 4;
  while (node->parts.size() < kParts && tokens_.take_operator(":")) {
    ExpressionRef part;
    if (!tokens_.is_operator(":") && !tokens_.is_operator("]")) {
      QT_TRY(part, expression());
    }
    node.add(std::move(part));
  }
  while (node->parts.size() < kParts) node.add(nullptr);
  QT_TRY_VOID(tokens_.expect_operator("]"));
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::filters(ExpressionRef input) {
  while (tokens_.is_operator("|")) {
    QT_TRY(input, filter(std::move(input)));
  }
  return input;
}

Result<ExpressionRef> ExpressionParser::filters_and_tests(ExpressionRef input) {
  while (true) {
    if (tokens_.is_operator("|")) {
      QT_TRY(input, filter(std::move(input)));
    } else if (tokens_.is_name("is")) {
      QT_TRY(input, test(std::move(input)));
    } else if (tokens_.is_operator("(")) {
      QT_TRY(input, call(std::move(input)));
    } else {
      return input;
    }
  }
}

Result<ExpressionRef> ExpressionParser::filter(ExpressionRef input) {
  Draft node = draft(Kind::kFilter);
  tokens_.take();
  node.add(std::move(input));
  QT_TRY(node->name, tokens_.expect_name("the name of a filter"));
  if (tokens_.is_operator("(")) QT_TRY_VOID(arguments(node));
  return finish(std::move(node));
}

Result<ExpressionRef> ExpressionParser::test(ExpressionRef input) {
  Draft node = draft(Kind::kTest);
  tokens_.take();
  const bool negated = tokens_.take_name("not");
  node.add(std::move(input));
  QT_TRY(node->name, tokens_.expect_name("the name of a test"));
  const Token& next = tokens_.peek();
  const bool is_word = next.kind == Token::Kind::kName && next.text != "else" &&
                       next.text != "or" && next.text != "and" && next.text != "is";
  if (tokens_.is_operator("(")) {
    QT_TRY_VOID(arguments(node));
  } else if (is_word || tokens_.is_operator("[") || tokens_.is_operator("{") ||
             next.kind == Token::Kind::kString || next.kind == Token::Kind::kInteger ||
             next.kind == Token::Kind::kFloat) {
    QT_TRY(ExpressionRef argument, primary());
    QT_TRY(argument, postfix(std::move(argument)));
    node.add(std::move(argument));
  }
  if (!negated) return finish(std::move(node));
  Draft outer = draft(Kind::kNot);
  QT_TRY(ExpressionRef inner, finish(std::move(node)));
  outer.add(std::move(inner));
  return finish(std::move(outer));
}

Result<ExpressionRef> ExpressionParser::call(ExpressionRef callee) {
  Draft node = draft(Kind::kCall);
  node.add(std::move(callee));
  QT_TRY_VOID(arguments(node));
  return finish(std::move(node));
}

Result<void> ExpressionParser::arguments(Draft& node) {
  // More than any filter or macro has. It also bounds filters that are arguments of filters.
  constexpr size_t kMaxArguments = 64;
  tokens_.take();
  while (!tokens_.is_operator(")")) {
    if (tokens_.is_operator("*") || tokens_.is_operator("**")) {
      return tokens_.error(Code::kUnsupported, "'*' before an argument is not supported");
    }
    if (tokens_.is(Token::Kind::kName) && tokens_.is_operator("=", 1)) {
      node->keywords.push_back(tokens_.take().text);
      tokens_.take();
    } else if (!node->keywords.empty()) {
      return tokens_.expected("arguments with names after those with names");
    }
    QT_TRY(ExpressionRef argument, expression());
    node.add(std::move(argument));
    if (node->parts.size() > kMaxArguments) {
      return tokens_.error(
          Code::kExhausted,
          "a call has more than " + std::to_string(kMaxArguments) + " arguments, the limit");
    }
    if (!tokens_.take_operator(",")) break;
  }
  return tokens_.expect_operator(")");
}

}  // namespace quintet::io::templates
