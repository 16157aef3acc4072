// Our rendering beside jinja2's, set up as transformers does it: tools/compare_templates.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "quintet/core/file.h"
#include "quintet/io/templates/chat_template.h"

namespace quintet::io {
namespace {

using Json = nlohmann::ordered_json;

std::string data(const std::string& name) {
  const auto text = read_file(QUINTET_SOURCE_DIR "/tests/goldens/templates/" + name, 1 << 20);
  return text.has_value() ? *text : std::string();
}

std::chrono::local_seconds moment_of_goldens() {
  using namespace std::chrono_literals;
  return std::chrono::local_days(std::chrono::July / 6 / 2024) + 9h + 5min + 3s;
}

Result<std::string> rendered(const Json& golden, const Json& pair) {
  const bool has_source = pair.contains("source");
  const std::string source = has_source ? pair["source"].get<std::string>()
                                        : data("sources/" + pair["file"].get<std::string>());
  QT_TRY(const ChatTemplate parsed, ChatTemplate::parse(source, "golden"));
  return parsed.render(golden["contexts"][pair["context"].get<std::string>()], moment_of_goldens());
}

TEST(TemplateGolden, EveryPairRendersAsTransformersRendersIt) {
  const Json golden = Json::parse(data("golden.json"));
  int pairs = 0;
  for (const Json& pair : golden["cases"]) {
    const auto text = rendered(golden, pair);
    const std::string what = pair.value("source", pair.value("file", "")) + " with " +
                             pair["context"].get<std::string>();
    ++pairs;
    if (pair["text"].is_null()) {
      EXPECT_FALSE(text.has_value()) << what << "\ngave " << *text << "\nwhere jinja2 refuses";
      continue;
    }
    ASSERT_TRUE(text.has_value()) << what << "\n" << text.error().message();
    EXPECT_EQ(*text, pair["text"].get<std::string>()) << what;
  }
  EXPECT_GE(pairs, 300);
}

TEST(TemplateGolden, PromptsOfTheRealModelAreThoseThatItWasMeasuredWith) {
  const auto smollm = ChatTemplate::parse(data("sources/smollm2.jinja"), "smollm2");
  ASSERT_TRUE(smollm.has_value()) << smollm.error().message();
  for (const Json& prompt : Json::parse(data("smollm2_prompts.json"))) {
    const ChatMessage message{"user", prompt["prompt"].get<std::string>()};
    const auto text = render_chat(*smollm, {&message, 1});
    ASSERT_TRUE(text.has_value()) << text.error().message();
    EXPECT_EQ(*text, prompt["rendered"].get<std::string>());
  }
}

}  // namespace
}  // namespace quintet::io
