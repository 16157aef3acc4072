// The first bytes up to a line that is "---" are a schema; each byte after it chooses a token.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quintet/core/check.h"
#include "quintet/engine/decode/token_constraint.h"
#include "quintet/io/formats/json.h"

namespace {

using namespace quintet::decode;

const std::shared_ptr<const VocabularyTrie>& vocabulary() {
  static const auto kTrie = [] {
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
    for (const char* text :
         {"{\"", "\":", "\",\"", "\"}", "},", "[{\"", "true", "12", "\n  ", "a\",\"b", ""}) {
      tokens.emplace_back(text);
    }
    const std::vector<std::string_view> views(tokens.begin(), tokens.end());
    return std::make_shared<const VocabularyTrie>(views);
  }();
  return kTrie;
}

// Takes allowed tokens; where it may end, what stands there is JSON.
void walk(const JsonGrammar& grammar, std::string_view choices) {
  const int32_t end = vocabulary()->vocabulary() - 1;
  TokenConstraint constraint(vocabulary(), grammar, {end});
  std::string text;
  for (const char choice : choices.substr(0, 300)) {
    std::vector<float> logits(static_cast<size_t>(end) + 1, 0.0f);
    QT_CHECK(constraint.mask(logits).has_value());
    std::vector<int32_t> allowed;
    for (int32_t token = 0; token < end; ++token) {
      if (logits[static_cast<size_t>(token)] == 0.0f) allowed.push_back(token);
    }
    if (constraint.allows(end)) QT_CHECK(quintet::io::parse_json(text, "text").has_value());
    if (allowed.empty()) return;
    const int32_t token = allowed[static_cast<uint8_t>(choice) % allowed.size()];
    QT_CHECK(constraint.accept(token).has_value());
    text += vocabulary()->text(token);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const size_t end = input.find(kSeparator);
  const auto schema = nlohmann::ordered_json::parse(input.substr(0, end), nullptr, false);
  if (schema.is_discarded()) return 0;
  const auto grammar = JsonGrammar::compile(schema);
  if (!grammar) {
    QT_CHECK(grammar.error().message().find('\n') == std::string::npos);
    return 0;
  }
  walk(*grammar, end == std::string_view::npos ? "" : input.substr(end + kSeparator.size()));
  return 0;
}
