#include "quintet/engine/decode/json_grammar.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "quintet/engine/decode/json_schema.h"

namespace quintet::decode {
namespace {

using Kind = JsonNode::Kind;
using Choices = std::vector<std::vector<int32_t>>;

constexpr uint64_t kInfinite = std::numeric_limits<uint64_t>::max();
constexpr int32_t kNoHeight = std::numeric_limits<int32_t>::max();

uint64_t add(uint64_t a, uint64_t b) { return a > kInfinite - b ? kInfinite : a + b; }
uint64_t times(uint64_t a, uint64_t b) { return b != 0 && a > kInfinite / b ? kInfinite : a * b; }

// Whether the document has no value deeper than `depth` and no more than `values`, which it counts
// down. Does not go deeper itself.
template <typename Json>
bool is_small(const Json& json, int depth, uint64_t& values) {
  if (values == 0) return false;
  --values;
  if (!json.is_structured()) return true;
  return depth > 0 && std::ranges::all_of(json, [&](const Json& inner) {
           return is_small(inner, depth - 1, values);
         });
}

// Before anything else is done with the document.
template <typename Json>
Result<void> check_size(const Json& schema, const JsonGrammarLimits& limits) {
  // Each schema inside another takes up to three levels of JSON, as in `properties` of `items`.
  constexpr int kJsonPerSchema = 3;
  uint64_t values = limits.work;
  if (is_small(schema, kJsonPerSchema * limits.schema_depth, values)) return {};
  if (values == 0) {
    return Error(Code::kExhausted,
                 "the schema has more than " + std::to_string(limits.work) + " values, the limit");
  }
  return Error(Code::kExhausted, "the schema is nested deeper than " +
                                     std::to_string(limits.schema_depth) + ", the limit");
}

// For each node what it may be, through alternatives of alternatives.
Result<Choices> flatten(const std::vector<JsonNode>& nodes) {
  constexpr size_t kMaxVisits = 5'000'000;
  Choices choices(nodes.size());
  std::vector<size_t> seen(nodes.size(), nodes.size());
  size_t visits = 0;
  for (size_t start = 0; start < nodes.size(); ++start) {
    std::vector<int32_t> open = {static_cast<int32_t>(start)};
    while (!open.empty()) {
      const auto at = static_cast<size_t>(open.back());
      open.pop_back();
      if (++visits > kMaxVisits) {
        return Error(Code::kExhausted, "the schema has too many alternatives of alternatives");
      }
      if (seen[at] == start) continue;
      seen[at] = start;
      if (nodes[at].kind != Kind::kAlternatives) {
        choices[start].push_back(static_cast<int32_t>(at));
      } else {
        open.insert(open.end(), nodes[at].parts.rbegin(), nodes[at].parts.rend());
      }
    }
  }
  return choices;
}

// Sizes and heights of the shortest values, from the inside out.
class Measure {
 public:
  Measure(std::vector<JsonNode>& nodes, const Choices& choices) : nodes_(nodes), choices_(choices) {
    for (JsonNode& node : nodes_) {
      node.height = kNoHeight;
      node.bytes = kInfinite;
    }
  }

  // One round finds what is one level higher.
  void run(int rounds) {
    for (int round = 0; round <= rounds; ++round) {
      for (JsonNode& node : nodes_) update(node, round);
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].kind != Kind::kAlternatives) continue;
      const auto [bytes, height] = of(static_cast<int32_t>(i));
      nodes_[i].bytes = bytes;
      nodes_[i].height = height;
    }
  }

 private:
  struct Size {
    uint64_t bytes = 0;
    int32_t height = 0;
  };

  Size of(int32_t node) const {
    Size least{kInfinite, kNoHeight};
    for (const int32_t choice : choices_[static_cast<size_t>(node)]) {
      least.bytes = std::min(least.bytes, nodes_[static_cast<size_t>(choice)].bytes);
      least.height = std::min(least.height, nodes_[static_cast<size_t>(choice)].height);
    }
    return least;
  }

  void update(JsonNode& node, int round) const {
    Size size;
    const auto take = [&](int32_t inner, uint64_t count) {
      const Size one = of(inner);
      size.bytes = add(size.bytes, times(one.bytes, count));
      size.height = std::max(size.height, one.height == kNoHeight ? kNoHeight : one.height + 1);
    };
    switch (node.kind) {
      case Kind::kAlternatives: return;
      case Kind::kNumber: size.bytes = 1; break;
      case Kind::kString: size.bytes = add(node.min, 2); break;
      case Kind::kLiteral:
        size.bytes = std::ranges::min(node.texts, {}, &std::string::size).size();
        break;
      case Kind::kObject:
        size = {.bytes = 2, .height = 1};
        for (const auto& property : node.properties) {
          if (!property.required) continue;
          size.bytes = add(size.bytes, property.key.size() + 1);
          take(property.node, 1);
        }
        break;
      case Kind::kArray:
        size = {.bytes = add(2, node.min), .height = 1};
        for (size_t i = 0; i < std::min<size_t>(node.min, node.parts.size()); ++i) {
          take(node.parts[i], 1);
        }
        if (node.min > node.parts.size()) take(node.rest, node.min - node.parts.size());
        break;
    }
    if (size.height > round) return;
    node.height = std::min(node.height, size.height);
    node.bytes = std::min(node.bytes, size.bytes);
  }

  std::vector<JsonNode>& nodes_;
  const Choices& choices_;
};

void sort_texts(JsonNode& node) {
  std::ranges::sort(node.texts);
  const auto [first, last] = std::ranges::unique(node.texts);
  node.texts.erase(first, last);
}

// Fixed values among the choices become one node, so that they are followed as one.
Result<void> join_literals(std::vector<JsonNode>& nodes, std::vector<int32_t>& choices,
                           size_t max_bytes, size_t& bytes) {
  const auto is_literal = [&](int32_t i) {
    return nodes[static_cast<size_t>(i)].kind == Kind::kLiteral;
  };
  if (std::ranges::count_if(choices, is_literal) < 2) return {};
  JsonNode joined = JsonNode::of(JsonNode::Kind::kLiteral);
  for (const int32_t i : choices) {
    if (!is_literal(i)) continue;
    for (const std::string& text : nodes[static_cast<size_t>(i)].texts) {
      bytes += text.size();
      if (bytes > max_bytes) {
        return Error(Code::kExhausted, "the schema has more than " + std::to_string(max_bytes) +
                                           " bytes of names and values, the limit");
      }
      joined.texts.push_back(text);
    }
  }
  sort_texts(joined);
  joined.bytes = std::ranges::min(joined.texts, {}, &std::string::size).size();
  std::erase_if(choices, is_literal);
  choices.push_back(static_cast<int32_t>(nodes.size()));
  nodes.push_back(std::move(joined));
  return {};
}

}  // namespace

Result<void> JsonGrammar::finish(Shared& shared, const JsonGrammarLimits& limits) {
  auto& nodes = shared.nodes;
  QT_TRY(shared.choices, flatten(nodes));
  for (JsonNode& node : nodes) sort_texts(node);
  Measure(nodes, shared.choices).run(limits.value_depth);
  size_t bytes = 0;
  for (size_t i = 0; i < shared.choices.size(); ++i) {
    if (nodes[i].kind != Kind::kAlternatives) continue;
    auto& choices = shared.choices[i];
    std::erase_if(choices, [&](int32_t choice) {
      return nodes[static_cast<size_t>(choice)].height == kNoHeight;
    });
    QT_TRY_VOID(join_literals(nodes, choices, limits.text_bytes, bytes));
    if (choices.size() > limits.alternatives) {
      return Error(Code::kExhausted, "the schema has a choice of more than " +
                                         std::to_string(limits.alternatives) +
                                         " alternatives, the limit");
    }
  }
  shared.choices.resize(nodes.size());
  const JsonNode& root = nodes[static_cast<size_t>(shared.root)];
  if (root.height == kNoHeight) {
    return Error(Code::kInvalidArgument,
                 "the schema allows only values that never end or are nested deeper than " +
                     std::to_string(limits.value_depth));
  }
  if (root.bytes > limits.smallest_bytes) {
    return Error(Code::kExhausted, "the shortest value that the schema allows has more than " +
                                       std::to_string(limits.smallest_bytes) + " bytes, the limit");
  }
  return {};
}

Result<JsonGrammar> JsonGrammar::compile(const nlohmann::ordered_json& schema,
                                         const JsonGrammarLimits& limits) {
  QT_TRY_VOID(check_size(schema, limits));
  auto shared = std::make_shared<Shared>();
  SchemaCompiler compiler(schema, limits);
  QT_TRY(shared->root, compiler.run());
  shared->nodes = compiler.take_nodes();
  shared->value_depth = limits.value_depth;
  QT_TRY_VOID(finish(*shared, limits));
  return JsonGrammar(std::move(shared));
}

Result<JsonGrammar> JsonGrammar::compile(const nlohmann::json& schema,
                                         const JsonGrammarLimits& limits) {
  QT_TRY_VOID(check_size(schema, limits));
  return compile(nlohmann::ordered_json(schema), limits);
}

}  // namespace quintet::decode
