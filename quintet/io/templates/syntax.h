// A parsed template.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quintet/io/templates/value.h"

namespace quintet::io::templates {

struct Expression;
using ExpressionRef = std::unique_ptr<const Expression>;

enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Expression {
  enum class Kind : uint8_t {
    kConstant,     // value
    kName,         // name
    kList,         // parts
    kTuple,        // parts
    kDict,         // parts: key, value, key, value, ...
    kNegate,       // parts[0]
    kPlus,         // parts[0]
    kNot,          // parts[0]
    kAnd,          // parts[0], parts[1]
    kOr,           // parts[0], parts[1]
    kBinary,       // parts[0] operators[0] parts[1]
    kCompare,      // parts[0] operators[0] parts[1] operators[1] parts[2] ...
    kConcat,       // parts, joined as text
    kConditional,  // parts: condition, value, and other value or null
    kAttribute,    // parts[0].name
    kItem,         // parts[0][parts[1]]
    kSlice,        // parts[0][parts[1]:parts[2]:parts[3]], the last three may be null
    kFilter,       // parts[0] | name(parts[1], ...); in a block set parts[0] is null
    kTest,         // parts[0] is name(parts[1], ...)
    kCall,         // parts[0](parts[1], ...)
  };
  Kind kind = Kind::kConstant;
  int line = 1;
  int height = 1;  // Of the tree below.
  Value value;
  std::string name;
  std::vector<Operator> operators;
  std::vector<ExpressionRef> parts;
  std::vector<std::string> keywords;  // Of the last arguments of a filter, test or call.
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

struct Parameter {
  std::string name;
  ExpressionRef fallback;  // Null: undefined where it is not given.
};

struct MacroStatement {
  std::string name;
  std::vector<Parameter> parameters;
  Block body;
};

struct Statement {
  enum class Kind : uint8_t {
    kText,    // text
    kOutput,  // expressions[0]
    kIf,      // expressions[i] decides about blocks[i]; one block more is the else
    kFor,     // names in expressions[0], if expressions[1] (may be null): blocks[0], else blocks[1]
    kSet,     // names = expressions[0]
    kSetItem,   // names[0].names[1] = expressions[0]
    kSetBlock,  // names[0] = blocks[0], through the filters expressions[0] (may be null)
    kMacro,     // macro
    kScope,     // blocks[0], whose variables stay inside
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kText;
  int line = 1;
  std::string text;
  std::vector<std::string> names;
  std::vector<ExpressionRef> expressions;
  std::vector<Block> blocks;
  std::unique_ptr<MacroStatement> macro;
};

struct Program {
  std::string name;
  TemplateLimits limits;
  Block body;
};

}  // namespace quintet::io::templates
