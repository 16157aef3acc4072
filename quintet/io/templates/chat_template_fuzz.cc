// The input is a template; it is rendered with a conversation and with little to spend.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quintet/core/check.h"
#include "quintet/io/templates/chat_template.h"

namespace {

using Json = nlohmann::ordered_json;

const Json& context() {
  static const Json kContext = Json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "Zürich?"}, {"type": "image"}]},
      {"role": "assistant", "content": "<think>a</think>b", "tool_calls": [
        {"id": "abcdefghi", "function": {"name": "f", "arguments": {"x": 1.5, "y": null}}}]},
      {"role": "tool", "content": "21"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true, "n": 7, "s": " a\nB é "})");
  return kContext;
}

void check(const quintet::Result<std::string>& text) {
  if (text.has_value()) return;
  QT_CHECK(text.error().message().starts_with("fuzz"));
  QT_CHECK(text.error().message().find('\n') == std::string::npos);
  QT_CHECK(text.error().code() != quintet::Code::kInternal);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const quintet::io::TemplateLimits limits{
      .steps = 200'000, .value_bytes = size_t{1} << 20, .output_bytes = size_t{1} << 20};
  const auto parsed = quintet::io::ChatTemplate::parse(source, "fuzz", limits);
  if (!parsed) {
    check(parsed.error());
    return 0;
  }
  const auto now = std::chrono::local_days(std::chrono::July / 6 / 2024);
  const auto text = parsed->render(context(), now);
  check(text);
  // The same again: nothing is left over from the first time.
  const auto again = parsed->render(context(), now);
  QT_CHECK(again.has_value() == text.has_value());
  if (text.has_value()) QT_CHECK(*again == *text);
  return 0;
}
