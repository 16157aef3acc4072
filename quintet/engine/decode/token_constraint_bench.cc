// What a constraint costs for each token, over a made-up vocabulary of 49 152: the bytes, words
// with and without a space in front, numbers and the pieces of JSON that real ones have.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <string>

#include "quintet/engine/decode/token_constraint.h"

namespace {

using namespace quintet::decode;

std::vector<std::string> vocabulary() {
  constexpr size_t kTokens = 49'151;
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  std::mt19937 random(1);
  for (const char* start : {"{", "}", "[", "]", "\"", ",", ":", "\":", "\",", "\"}", "\n", "  "}) {
    for (const char* rest : {"\"", " \"", "{\"", ",", " ", "\n", "}", "]", "name", " 1", "\n  "}) {
      tokens.emplace_back(std::string(start).append(rest));
    }
  }
  while (tokens.size() < kTokens) {
    std::string word = random() % 2 == 0 ? " " : "";
    const size_t letters = 1 + random() % 10;
    const bool number = random() % 16 == 0;
    for (size_t i = 0; i < letters; ++i) {
      word += static_cast<char>(number ? '0' + random() % 10 : 'a' + random() % 26);
    }
    tokens.push_back(std::move(word));
  }
  tokens.emplace_back();
  return tokens;
}

const char* const kSchema = R"({"type": "object", "properties": {
  "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
  "tags": {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 8},
  "home": {"type": "object", "properties": {"city": {"type": "string"}, "kind": {"enum": ["house", "flat"]}},
           "required": ["city"]},
  "more": {"type": "object", "additionalProperties": {"type": ["string", "number"]}}},
  "required": ["name", "age", "tags", "home", "more"]})";

// The time is that of one token: mask, and accept of one that is picked among those left.
void constrained_token(benchmark::State& state) {
  const auto tokens = vocabulary();
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  const auto trie = std::make_shared<const VocabularyTrie>(views);
  const auto grammar = JsonGrammar::compile(nlohmann::ordered_json::parse(kSchema));
  if (!grammar) return state.SkipWithError(grammar.error().message().c_str());
  const auto end = static_cast<int32_t>(tokens.size() - 1);
  std::mt19937 random(2);
  std::vector<float> logits(tokens.size());
  auto constraint = std::make_unique<TokenConstraint>(trie, *grammar, std::vector<int32_t>{end});
  for (auto _ : state) {
    std::fill(logits.begin(), logits.end(), 0.0f);
    if (!constraint->mask(logits).has_value()) return state.SkipWithError("a dead end");
    size_t token = random() % 3 == 0 ? static_cast<size_t>('"') : random() % logits.size();
    while (!std::isfinite(logits[token])) token = (token + 1) % logits.size();
    if (!constraint->accept(static_cast<int32_t>(token)).has_value()) {
      return state.SkipWithError("a token that was left may not follow");
    }
    if (constraint->is_finished()) {
      state.PauseTiming();
      constraint = std::make_unique<TokenConstraint>(trie, *grammar, std::vector<int32_t>{end});
      state.ResumeTiming();
    }
  }
}
BENCHMARK(constrained_token)->Unit(benchmark::kMicrosecond);

}  // namespace
