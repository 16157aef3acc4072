#include "quintet/io/templates/parser.h"

#include <array>
#include <initializer_list>

#include "quintet/io/formats/tensor_table.h"

namespace quintet::io::templates {
namespace {

std::string describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kEnd: return "the end of the template";
    case Token::Kind::kText: return "text";
    case Token::Kind::kOutputBegin: return "'{{'";
    case Token::Kind::kOutputEnd: return "'}}'";
    case Token::Kind::kBlockBegin: return "'{%'";
    case Token::Kind::kBlockEnd: return "'%}'";
    case Token::Kind::kString: return "the string " + in_quotes(token.text);
    default: return in_quotes(token.text);
  }
}

using Kind = Statement::Kind;

class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}

  // Statements up to a block that begins with one of `ends`, whose name is taken; or to the end of
  // the template where `ends` is empty.
  Result<Block> block(std::initializer_list<std::string_view> ends, std::string* end = nullptr) {
    const TokenStream::Nesting nesting(tokens_);
    QT_TRY_VOID(tokens_.check_nesting());
    Block block;
    while (true) {
      if (tokens_.is(Token::Kind::kEnd)) {
        if (ends.size() == 0) return block;
        return tokens_.expected("'{% " + std::string(*(ends.end() - 1)) + " %}'");
      }
      if (tokens_.is(Token::Kind::kBlockBegin)) {
        for (const std::string_view name : ends) {
          if (!tokens_.is_name(name, 1)) continue;
          tokens_.take();
          tokens_.take();
          if (end != nullptr) *end = name;
          return block;
        }
      }
      QT_TRY(auto next, statement());
      block.push_back(std::move(next));
    }
  }

 private:
  using StatementRef = std::unique_ptr<const Statement>;

  std::unique_ptr<Statement> draft(Kind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = tokens_.peek().line;
    return statement;
  }

  Result<void> end_of_tag() { return tokens_.expect(Token::Kind::kBlockEnd, "'%}'"); }

  Result<StatementRef> statement() {
    if (tokens_.is(Token::Kind::kText)) {
      auto text = draft(Kind::kText);
      text->text = tokens_.take().text;
      return StatementRef(std::move(text));
    }
    if (tokens_.is(Token::Kind::kOutputBegin)) return output();
    tokens_.take();
    return tag();
  }

  Result<StatementRef> output() {
    auto output = draft(Kind::kOutput);
    tokens_.take();
    QT_TRY(auto expression, expressions_.tuple_or_expression());
    output->expressions.push_back(std::move(expression));
    QT_TRY_VOID(tokens_.expect(Token::Kind::kOutputEnd, "'}}'"));
    return StatementRef(std::move(output));
  }

  Result<StatementRef> tag() {
    if (tokens_.is_name("if")) return if_tag();
    if (tokens_.is_name("for")) return for_tag();
    if (tokens_.is_name("set")) return set_tag();
    if (tokens_.is_name("macro")) return macro_tag();
    if (tokens_.is_name("generation")) return generation_tag();
    if (tokens_.is_name("break") || tokens_.is_name("continue")) return jump_tag();
    for (const std::string_view name : {"block", "call", "extends", "filter", "from", "import",
                                        "include", "with", "autoescape", "print"}) {
      if (!tokens_.is_name(name)) continue;
      return tokens_.error(Code::kUnsupported, "the tag " + in_quotes(name) + " is not supported");
    }
    return tokens_.expected("the name of a tag, such as 'if', 'for' or 'set'");
  }

  Result<StatementRef> if_tag() {
    auto result = draft(Kind::kIf);
    tokens_.take();
    std::string end = "elif";
    while (end == "elif") {
      QT_TRY(auto condition, expressions_.tuple_or_expression_without_condition());
      result->expressions.push_back(std::move(condition));
      QT_TRY_VOID(end_of_tag());
      QT_TRY(Block body, block({"elif", "else", "endif"}, &end));
      result->blocks.push_back(std::move(body));
    }
    QT_TRY_VOID(else_block(end, "endif", *result));
    return StatementRef(std::move(result));
  }

  // The rest of a statement whose tag `end` was taken: perhaps an else block, then the last tag.
  Result<void> else_block(const std::string& end, std::string_view last, Statement& statement) {
    if (end == "else") {
      QT_TRY_VOID(end_of_tag());
      QT_TRY(Block body, block({last}));
      statement.blocks.push_back(std::move(body));
    }
    return end_of_tag();
  }

  Result<StatementRef> for_tag() {
    auto loop = draft(Kind::kFor);
    tokens_.take();
    QT_TRY_VOID(targets(*loop));
    if (!tokens_.take_name("in")) return tokens_.expected("'in'");
    QT_TRY(auto items, expressions_.tuple_or_expression_without_condition());
    loop->expressions.push_back(std::move(items));
    ExpressionRef condition;
    if (tokens_.take_name("if")) {
      QT_TRY(condition, expressions_.expression());
    }
    loop->expressions.push_back(std::move(condition));
    if (tokens_.is_name("recursive")) {
      return tokens_.error(Code::kUnsupported, "recursive loops are not supported");
    }
    QT_TRY_VOID(end_of_tag());
    std::string end;
    QT_TRY(Block body, loop_body(&end));
    loop->blocks.push_back(std::move(body));
    QT_TRY_VOID(else_block(end, "endfor", *loop));
    return StatementRef(std::move(loop));
  }

  Result<Block> loop_body(std::string* end) {
    ++loops_;
    auto body = block({"else", "endfor"}, end);
    --loops_;
    return body;
  }

  // The body of something that a jump cannot leave.
  Result<Block> closed_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    auto body = block({end});
    loops_ = loops;
    if (body) QT_TRY_VOID(end_of_tag());
    return body;
  }

  // One name, or several with commas, perhaps between parentheses.
  Result<void> targets(Statement& statement) {
    const bool parentheses = tokens_.take_operator("(");
    do {
      if (tokens_.is_name("in") || tokens_.is_operator("=")) break;
      QT_TRY(std::string name, target());
      statement.names.push_back(std::move(name));
    } while (tokens_.take_operator(","));
    if (statement.names.empty()) return tokens_.expected("the name of a variable");
    if (parentheses) return tokens_.expect_operator(")");
    return {};
  }

  Result<std::string> target() {
    constexpr std::array<std::string_view, 6> kConstants = {"true", "false", "none",
                                                            "True", "False", "None"};
    if (std::ranges::find(kConstants, tokens_.peek().text) != kConstants.end()) {
      return tokens_.expected("the name of a variable");
    }
    return tokens_.expect_name("the name of a variable");
  }

  Result<StatementRef> set_tag() {
    auto set = draft(Kind::kSet);
    tokens_.take();
    if (tokens_.is_operator(".", 1)) {
      set->kind = Kind::kSetItem;
      QT_TRY(std::string space, target());
      tokens_.take();
      QT_TRY(std::string attribute, tokens_.expect_name("the name of an attribute"));
      set->names = {std::move(space), std::move(attribute)};
    } else {
      QT_TRY_VOID(targets(*set));
    }
    if (!tokens_.take_operator("=")) return set_block(std::move(set));
    QT_TRY(auto value, expressions_.tuple_or_expression());
    set->expressions.push_back(std::move(value));
    QT_TRY_VOID(end_of_tag());
    return StatementRef(std::move(set));
  }

  Result<StatementRef> set_block(std::unique_ptr<Statement> set) {
    if (set->kind != Kind::kSet || set->names.size() != 1) return tokens_.expected("'='");
    set->kind = Kind::kSetBlock;
    QT_TRY(auto filters, expressions_.filters(nullptr));
    set->expressions.push_back(std::move(filters));
    QT_TRY_VOID(end_of_tag());
    QT_TRY(Block body, closed_body("endset"));
    set->blocks.push_back(std::move(body));
    return StatementRef(std::move(set));
  }

  Result<StatementRef> macro_tag() {
    auto result = draft(Kind::kMacro);
    tokens_.take();
    result->macro = std::make_unique<MacroStatement>();
    QT_TRY(result->macro->name, target());
    QT_TRY_VOID(tokens_.expect_operator("("));
    while (!tokens_.is_operator(")")) {
      QT_TRY_VOID(parameter(*result->macro));
      if (!tokens_.take_operator(",")) break;
    }
    QT_TRY_VOID(tokens_.expect_operator(")"));
    QT_TRY_VOID(end_of_tag());
    QT_TRY(result->macro->body, closed_body("endmacro"));
    return StatementRef(std::move(result));
  }

  Result<void> parameter(MacroStatement& macro) {
    QT_TRY(std::string name, target());
    ExpressionRef fallback;
    if (tokens_.take_operator("=")) {
      QT_TRY(fallback, expressions_.expression());
    } else if (!macro.parameters.empty() && macro.parameters.back().fallback != nullptr) {
      return tokens_.expected("a default, since the parameter before has one");
    }
    macro.parameters.push_back({std::move(name), std::move(fallback)});
    return {};
  }

  // Marks what a model says, for training: it prints what is inside.
  Result<StatementRef> generation_tag() {
    auto scope = draft(Kind::kScope);
    tokens_.take();
    QT_TRY_VOID(end_of_tag());
    QT_TRY(Block body, closed_body("endgeneration"));
    scope->blocks.push_back(std::move(body));
    return StatementRef(std::move(scope));
  }

  Result<StatementRef> jump_tag() {
    if (loops_ == 0) {
      return tokens_.error(Code::kCorrupt, in_quotes(tokens_.peek().text) + " outside of a loop");
    }
    auto jump = draft(tokens_.is_name("break") ? Kind::kBreak : Kind::kContinue);
    tokens_.take();
    QT_TRY_VOID(end_of_tag());
    return StatementRef(std::move(jump));
  }

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;  // Around the current place.
};

}  // namespace

Error TokenStream::error(Code code, std::string what) const {
  return Error(code,
               std::string(name_) + ":" + std::to_string(peek().line) + ": " + std::move(what));
}

Error TokenStream::expected(std::string_view what) const {
  return error(Code::kCorrupt, "expected " + std::string(what) + ", found " + describe(peek()));
}

Result<void> TokenStream::expect_operator(std::string_view text) {
  if (take_operator(text)) return {};
  return expected(in_quotes(text));
}

Result<void> TokenStream::expect(Token::Kind kind, std::string_view what) {
  if (!is(kind)) return expected(what);
  take();
  return {};
}

Result<std::string> TokenStream::expect_name(std::string_view what) {
  if (!is(Token::Kind::kName)) return expected(what);
  return take().text;
}

Result<void> TokenStream::check_nesting() const {
  if (depth_ <= limits_.parse_depth) return {};
  return error(Code::kExhausted,
               "is nested deeper than " + std::to_string(limits_.parse_depth) + ", the limit");
}

Result<Program> parse_program(std::string_view source, std::string_view name,
                              const TemplateLimits& limits) {
  QT_TRY(auto tokens, tokenize(source, name, limits));
  TokenStream stream(std::move(tokens), name, limits);
  Program program{.name = std::string(name), .limits = limits, .body = {}};
  QT_TRY(program.body, StatementParser(stream).block({}));
  return program;
}

}  // namespace quintet::io::templates
