// Chat templates: from a conversation to the prompt of a model.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "quintet/core/result.h"
#include "quintet/io/templates/budget.h"

namespace quintet::io {

namespace templates {
struct Program;
}

// A template in the Jinja that models bring in `chat_template`, rendered as Hugging Face
// transformers renders it: blocks trimmed, `break` and `continue`, `tojson` without HTML escapes,
// `raise_exception`, `strftime_now`, `generation`. Tags and filters that chat templates do not use
// (`include`, `call`, `groupby`, ...) are refused. docs/chat-templates.md lists what there is.
//
// Whatever the template does, rendering ends within the limits; then and for every mistake the
// result is an error of one line that begins with "name:line: ".
//
// Threads: const methods are safe concurrently.
// Source: Jinja 3.1; transformers 5.x utils/chat_template_utils.py.
class ChatTemplate {
 public:
  // Errors: kCorrupt where the template is not well formed, kUnsupported for tags that are not
  // there, kExhausted past a limit.
  static Result<ChatTemplate> parse(std::string_view source, std::string_view name,
                                    const TemplateLimits& limits = {});

  // The text for the variables in `context`, an object. `now` is what `strftime_now` formats.
  // The order of keys shows where a template prints an object: nlohmann::json sorts them.
  // Errors: kInvalidArgument where the template refuses the context or does what values cannot do,
  // kUnsupported for filters and tests that are not there, kExhausted past a limit.
  Result<std::string> render(const nlohmann::ordered_json& context,
                             std::optional<std::chrono::local_seconds> now = {}) const;
  Result<std::string> render(const nlohmann::json& context,
                             std::optional<std::chrono::local_seconds> now = {}) const;

 private:
  explicit ChatTemplate(std::shared_ptr<const templates::Program> program);

  template <typename Json>
  Result<std::string> render_json(const Json& context,
                                  std::optional<std::chrono::local_seconds> now) const;

  std::shared_ptr<const templates::Program> program_;
};

struct ChatMessage {
  std::string role;
  std::string content;
};

struct ChatOptions {
  bool add_generation_prompt = true;     // Ends where the model's answer begins.
  std::optional<std::string> bos_token;  // Undefined in the template where not set.
  std::optional<std::string> eos_token;
  nlohmann::ordered_json tools;      // A list of function schemas, or null.
  nlohmann::ordered_json variables;  // More of them, such as {"enable_thinking": false}, or null.
  std::optional<std::chrono::local_seconds> now;  // For templates that print the date.
};

// The prompt for a conversation. Errors: as render; kInvalidArgument also where `variables` is
// neither an object nor null.
Result<std::string> render_chat(const ChatTemplate& chat_template,
                                std::span<const ChatMessage> messages,
                                const ChatOptions& options = {});

// The same for messages with more fields: a list of objects with "role", "content" and what else
// the template reads, such as "tool_calls".
Result<std::string> render_chat(const ChatTemplate& chat_template,
                                const nlohmann::ordered_json& messages,
                                const ChatOptions& options = {});

}  // namespace quintet::io
