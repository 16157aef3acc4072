#include "quintet/io/templates/interpreter.h"

#include <algorithm>

#include "quintet/io/formats/tensor_table.h"
#include "quintet/io/templates/operators.h"

namespace quintet::io::templates {

class Interpreter::OpenScope {
 public:
  OpenScope(Interpreter& interpreter, size_t parent)
      : interpreter_(interpreter), before_(interpreter.scope_) {
    interpreter_.scope_ = interpreter_.scopes_.size();
    interpreter_.scopes_.push_back({parent, {}});
  }
  ~OpenScope() {
    interpreter_.scopes_.pop_back();
    interpreter_.scope_ = before_;
  }
  OpenScope(const OpenScope&) = delete;
  OpenScope& operator=(const OpenScope&) = delete;

 private:
  Interpreter& interpreter_;
  size_t before_;
};

class Interpreter::Capture {
 public:
  explicit Capture(Interpreter& interpreter)
      : interpreter_(interpreter), before_(interpreter.out_) {
    interpreter_.out_ = &text_;
  }
  ~Capture() { interpreter_.out_ = before_; }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  std::string take() { return std::move(text_); }

 private:
  Interpreter& interpreter_;
  std::string* before_;
  std::string text_;
};

Interpreter::Interpreter(const Program& program, Budget& budget, const Dict& context,
                         std::optional<std::chrono::local_seconds> now)
    : program_(program), budget_(budget), context_(context), now_(now), scopes_(1) {}

Error Interpreter::at(int line, Error error) const {
  return std::move(error).with(program_.name + ":" + std::to_string(line));
}

Result<std::string> Interpreter::render() {
  std::string out;
  out_ = &out;
  QT_TRY_VOID(run(program_.body));
  return out;
}

Result<Interpreter::Flow> Interpreter::run(const Block& block) {
  for (const auto& statement : block) {
    QT_TRY(const Flow flow, run(*statement));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const Statement& statement) {
  using Kind = Statement::Kind;
  const Budget::Level level(budget_);
  QT_TRY_VOID(at(statement.line, budget_.check_depth()));
  QT_TRY_VOID(at(statement.line, budget_.charge()));
  Result<void> done;
  switch (statement.kind) {
    case Kind::kText: done = write(statement.line, statement.text); break;
    case Kind::kOutput: done = output(statement); break;
    case Kind::kIf: return run_if(statement);
    case Kind::kFor: return run_for(statement);
    case Kind::kSet: done = run_set(statement); break;
    case Kind::kSetItem: done = set_item(statement); break;
    case Kind::kSetBlock: done = set_block(statement); break;
    case Kind::kMacro: done = define_macro(statement); break;
    case Kind::kScope: return run_scope(statement);
    case Kind::kBreak: return Flow::kBreak;
    case Kind::kContinue: return Flow::kContinue;
  }
  if (!done) return std::move(done).error();
  return Flow::kNext;
}

Result<void> Interpreter::write(int line, std::string_view text) {
  if (out_->size() + text.size() > program_.limits.output_bytes) {
    return at(line, Error(Code::kExhausted, "writes more than " +
                                                std::to_string(program_.limits.output_bytes) +
                                                " bytes, the limit"));
  }
  QT_TRY_VOID(at(line, budget_.charge(text.size())));
  out_->append(text);
  return {};
}

Result<void> Interpreter::output(const Statement& statement) {
  QT_TRY(const Value value, evaluate(*statement.expressions[0]));
  if (value.is_text()) return write(statement.line, value.str());
  QT_TRY(const std::string text, at(statement.line, to_text(budget_, value)));
  return write(statement.line, text);
}

Result<Interpreter::Flow> Interpreter::run_if(const Statement& statement) {
  for (size_t i = 0; i < statement.expressions.size(); ++i) {
    QT_TRY(const Value condition, evaluate(*statement.expressions[i]));
    if (truth(condition)) return run(statement.blocks[i]);
  }
  if (statement.blocks.size() > statement.expressions.size()) return run(statement.blocks.back());
  return Flow::kNext;
}

// What the loop goes over, after its condition.
Result<std::vector<Value>> Interpreter::loop_items(const Statement& statement) {
  QT_TRY(const Value source, evaluate(*statement.expressions[0]));
  QT_TRY(auto items, at(statement.line, iterate(budget_, source)));
  const Expression* condition = statement.expressions[1].get();
  if (condition == nullptr) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    const OpenScope scope(*this, scope_);
    QT_TRY_VOID(bind(statement, item));
    QT_TRY(const Value passes, evaluate(*condition));
    if (truth(passes)) kept.push_back(std::move(item));
  }
  return kept;
}

Result<Interpreter::Flow> Interpreter::run_for(const Statement& statement) {
  QT_TRY(auto items, loop_items(statement));
  if (items.empty()) {
    return statement.blocks.size() > 1 ? run(statement.blocks[1]) : Result<Flow>(Flow::kNext);
  }
  QT_TRY(const Value list, at(statement.line, make_list(budget_, std::move(items))));
  const auto loop = std::make_shared<Loop>(Loop{.items = list.get<Value::ListRef>()});
  const size_t count = loop->items->items.size();
  for (; loop->index < count; ++loop->index) {
    const OpenScope scope(*this, scope_);
    QT_TRY_VOID(set(statement.line, "loop", Value(Value::LoopRef(loop))));
    QT_TRY_VOID(bind(statement, loop->items->items[loop->index]));
    QT_TRY(const Flow flow, run(statement.blocks[0]));
    if (flow == Flow::kBreak) break;
  }
  // The loop may live on in a namespace.
  loop->index = std::min(loop->index, count - 1);
  return Flow::kNext;
}

// Gives the names of the statement the value, or the items of the value.
Result<void> Interpreter::bind(const Statement& statement, const Value& value) {
  if (statement.names.size() == 1) return set(statement.line, statement.names[0], value);
  QT_TRY(const auto items, at(statement.line, iterate(budget_, value)));
  if (items.size() != statement.names.size()) {
    return at(statement.line,
              Error(Code::kInvalidArgument, "expected " + std::to_string(statement.names.size()) +
                                                " values to unpack, found " +
                                                std::to_string(items.size())));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    QT_TRY_VOID(set(statement.line, statement.names[i], items[i]));
  }
  return {};
}

Result<void> Interpreter::run_set(const Statement& statement) {
  QT_TRY(const Value value, evaluate(*statement.expressions[0]));
  return bind(statement, value);
}

Result<void> Interpreter::set_item(const Statement& statement) {
  QT_TRY(const Value space, look_up(statement.line, statement.names[0]));
  if (!space.is<Namespace*>()) {
    return at(statement.line,
              Error(Code::kInvalidArgument, in_quotes(statement.names[0]) +
                                                " must be a namespace to set an attribute of it"));
  }
  const std::string& name = statement.names[1];
  if (name.starts_with('_')) {
    return at(statement.line,
              Error(Code::kInvalidArgument,
                    "a name in a namespace must not begin with '_': " + in_quotes(name)));
  }
  QT_TRY(Value value, evaluate(*statement.expressions[0]));
  Namespace& names = *space.get<Namespace*>();
  QT_TRY_VOID(charge_names(statement.line, names.values.size()));
  if (Value* place = names.find(name)) {
    *place = std::move(value);
  } else {
    names.values.emplace_back(name, std::move(value));
  }
  return {};
}

Result<void> Interpreter::set_block(const Statement& statement) {
  Capture capture(*this);
  {
    const OpenScope scope(*this, scope_);
    QT_TRY_VOID(run(statement.blocks[0]));
  }
  QT_TRY(Value value, at(statement.line, make_text(budget_, capture.take())));
  if (const Expression* filters = statement.expressions[0].get()) {
    filter_input_ = std::move(value);
    QT_TRY(value, evaluate(*filters));
  }
  return set(statement.line, statement.names[0], std::move(value));
}

Result<Interpreter::Flow> Interpreter::run_scope(const Statement& statement) {
  const OpenScope scope(*this, scope_);
  return run(statement.blocks[0]);
}

Result<void> Interpreter::define_macro(const Statement& statement) {
  auto callable = std::make_shared<Callable>();
  callable->macro = statement.macro.get();
  callable->scope = scope_;
  return set(statement.line, statement.macro->name, Value(Value::CallableRef(std::move(callable))));
}

Result<void> Interpreter::charge_names(int line, size_t count) const {
  constexpr size_t kBytesOfName = 4;
  return at(line, budget_.charge(kBytesOfName * count));
}

Result<void> Interpreter::set(int line, std::string_view name, Value value) {
  auto& variables = scopes_[scope_].variables;
  QT_TRY_VOID(charge_names(line, variables.size()));
  const auto place = std::ranges::find(
      variables, name, [](const auto& variable) -> std::string_view { return variable.first; });
  if (place != variables.end()) {
    place->second = std::move(value);
  } else {
    variables.emplace_back(name, std::move(value));
  }
  return {};
}

Result<Value> Interpreter::look_up(int line, const std::string& name) const {
  for (size_t scope = scope_;; scope = scopes_[scope].parent) {
    QT_TRY_VOID(charge_names(line, scopes_[scope].variables.size()));
    for (const auto& [variable, value] : scopes_[scope].variables) {
      if (variable == name) return value;
    }
    if (scope == 0) break;
  }
  if (const Value* value = context_.find(std::string_view(name))) return *value;
  for (const std::string_view function :
       {"raise_exception", "strftime_now", "namespace", "range", "dict"}) {
    if (name != function) continue;
    auto callable = std::make_shared<Callable>();
    callable->function = name;
    return Value(Value::CallableRef(std::move(callable)));
  }
  return Value::undefined(name);
}

// Declared here because it opens scopes.
Result<Value> Interpreter::call_macro(const Expression& call, const Callable& macro,
                                      const Arguments& arguments) {
  // A macro that was kept in a namespace may outlive the scope where it was defined.
  const size_t parent = macro.scope < scopes_.size() ? macro.scope : 0;
  Capture capture(*this);
  const OpenScope scope(*this, parent);
  QT_TRY_VOID(bind_parameters(call, *macro.macro, arguments));
  QT_TRY_VOID(run(macro.macro->body));
  return at(call.line, make_text(budget_, capture.take()));
}

Result<void> Interpreter::bind_parameters(const Expression& call, const MacroStatement& macro,
                                          const Arguments& arguments) {
  const auto& parameters = macro.parameters;
  if (arguments.positional.size() > parameters.size()) {
    return at(call.line, Error(Code::kInvalidArgument,
                               "the macro " + in_quotes(macro.name) + " takes no more than " +
                                   std::to_string(parameters.size()) + " arguments"));
  }
  for (const auto& [name, value] : arguments.named) {
    if (std::ranges::find(parameters, name, &Parameter::name) != parameters.end()) continue;
    return at(call.line,
              Error(Code::kInvalidArgument, "the macro " + in_quotes(macro.name) +
                                                " takes no argument " + in_quotes(name)));
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto named = std::ranges::find(arguments.named, parameters[i].name,
                                         [](const auto& argument) { return argument.first; });
    if (i < arguments.positional.size()) {
      QT_TRY_VOID(set(call.line, parameters[i].name, arguments.positional[i]));
    } else if (named != arguments.named.end()) {
      QT_TRY_VOID(set(call.line, parameters[i].name, named->second));
    } else if (parameters[i].fallback != nullptr) {
      QT_TRY(Value value, evaluate(*parameters[i].fallback));
      QT_TRY_VOID(set(call.line, parameters[i].name, std::move(value)));
    } else {
      QT_TRY_VOID(set(call.line, parameters[i].name, Value::undefined(parameters[i].name)));
    }
  }
  return {};
}

}  // namespace quintet::io::templates
