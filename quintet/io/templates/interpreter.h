// Runs a parsed template.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quintet/core/result.h"
#include "quintet/io/templates/budget.h"
#include "quintet/io/templates/builtin.h"
#include "quintet/io/templates/syntax.h"
#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

// One rendering. Every error begins with "name:line: ".
class Interpreter {
 public:
  // `context` is a dictionary; `budget` has paid for it. Both and the program outlive this.
  Interpreter(const Program& program, Budget& budget, const Dict& context,
              std::optional<std::chrono::local_seconds> now);

  Result<std::string> render();

 private:
  // What the statements after one do.
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  struct Scope {
    size_t parent = 0;  // The scope around; the first one's is itself.
    std::vector<std::pair<std::string, Value>> variables;
  };
  // A scope that ends with this object, and what text is written to while it is open.
  class OpenScope;
  class Capture;

  Result<Flow> run(const Block& block);
  Result<Flow> run(const Statement& statement);
  Result<void> write(int line, std::string_view text);
  Result<void> output(const Statement& statement);
  Result<Flow> run_if(const Statement& statement);
  Result<Flow> run_for(const Statement& statement);
  Result<std::vector<Value>> loop_items(const Statement& statement);
  Result<void> run_set(const Statement& statement);
  Result<void> set_item(const Statement& statement);
  Result<void> set_block(const Statement& statement);
  Result<Flow> run_scope(const Statement& statement);
  Result<void> define_macro(const Statement& statement);
  Result<void> bind(const Statement& statement, const Value& value);

  // Names are compared one by one, which `line` is charged for.
  Result<void> set(int line, std::string_view name, Value value);
  Result<Value> look_up(int line, const std::string& name) const;
  Result<void> charge_names(int line, size_t count) const;

  Result<Value> evaluate(const Expression& expression);
  Result<Value> evaluate_inner(const Expression& expression);
  Result<Value> sequence(const Expression& expression);
  Result<Value> dictionary(const Expression& expression);
  Result<Value> unary(const Expression& expression);
  Result<Value> and_or(const Expression& expression);
  Result<Value> binary(const Expression& expression);
  Result<Value> comparison(const Expression& expression);
  Result<Value> concatenation(const Expression& expression);
  Result<Value> conditional(const Expression& expression);
  Result<Value> attribute_of(const Expression& expression);
  Result<Value> item_of(const Expression& expression);
  Result<Value> slice_of(const Expression& expression);
  Result<Value> filtered(const Expression& expression);
  Result<Value> tested(const Expression& expression);
  Result<Value> call(const Expression& expression);
  Result<Arguments> arguments(const Expression& expression);
  Result<Value> call_function(const std::string& name, Arguments arguments);
  Result<Value> call_macro(const Expression& call, const Callable& macro,
                           const Arguments& arguments);
  Result<void> bind_parameters(const Expression& call, const MacroStatement& macro,
                               const Arguments& arguments);

  Result<Value> make_namespace(Arguments arguments);
  Result<Value> range(const Arguments& arguments);
  Result<Value> dict(Arguments arguments);
  Result<Value> date(const Arguments& arguments);
  static Result<Value> raise(const Arguments& arguments);

  // The error, with the place in front.
  Error at(int line, Error error) const;
  template <typename T>
  Result<T> at(int line, Result<T> result) const {
    if (result.has_value()) return result;
    return at(line, std::move(result).error());
  }

  const Program& program_;
  Budget& budget_;
  const Dict& context_;
  std::optional<std::chrono::local_seconds> now_;
  std::deque<Namespace> namespaces_;
  std::vector<Scope> scopes_;
  size_t scope_ = 0;  // The innermost one that is visible.
  std::string* out_ = nullptr;
  Value filter_input_;  // Of a block set that has filters.
};

}  // namespace quintet::io::templates
