#include "quintet/io/templates/chat_template.h"

#include <limits>
#include <utility>
#include <vector>

#include "quintet/io/templates/interpreter.h"
#include "quintet/io/templates/parser.h"

namespace quintet::io {
namespace {

using templates::Budget;
using templates::Value;

template <typename Json>
class Converter {
 public:
  explicit Converter(const TemplateLimits& limits) : budget_(limits) {}

  Result<Value> convert(const Json& json) {
    const Budget::Level level(budget_);
    QT_TRY_VOID(budget_.check_depth());
    if (json.is_object()) return object(json);
    if (json.is_array()) return array(json);
    if (json.is_string()) {
      return templates::make_text(budget_, json.template get_ref<const std::string&>());
    }
    if (json.is_boolean()) return Value(json.template get<bool>());
    if (json.is_number_float()) return Value(json.template get<double>());
    if (json.is_number()) return integer(json);
    return Value::none();
  }

 private:
  Result<Value> object(const Json& json) {
    std::vector<std::pair<Value, Value>> items;
    for (const auto& [key, value] : json.items()) {
      QT_TRY(Value converted, convert(value));
      items.emplace_back(Value::text(key), std::move(converted));
    }
    return templates::make_dict(budget_, std::move(items));
  }

  Result<Value> array(const Json& json) {
    std::vector<Value> items;
    for (const Json& value : json) {
      QT_TRY(Value converted, convert(value));
      items.push_back(std::move(converted));
    }
    return templates::make_list(budget_, std::move(items));
  }

  Result<Value> integer(const Json& json) {
    constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max();
    if (json.is_number_unsigned() && json.template get<uint64_t>() > kLargest) {
      return Error(Code::kExhausted, "an integer has more than 64 bits, the limit");
    }
    return Value(json.template get<int64_t>());
  }

  Budget budget_;
};

}  // namespace

ChatTemplate::ChatTemplate(std::shared_ptr<const templates::Program> program)
    : program_(std::move(program)) {}

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, std::string_view name,
                                         const TemplateLimits& limits) {
  QT_TRY(auto program, templates::parse_program(source, name, limits));
  return ChatTemplate(std::make_shared<const templates::Program>(std::move(program)));
}

template <typename Json>
Result<std::string> ChatTemplate::render_json(const Json& context,
                                              std::optional<std::chrono::local_seconds> now) const {
  if (!context.is_object()) {
    return Error(Code::kInvalidArgument, "the variables must be an object").with(program_->name);
  }
  // What the context holds is the caller's affair: it has a budget of its own.
  QT_TRY(const Value variables,
         Converter<Json>(program_->limits).convert(context).with(program_->name));
  Budget budget(program_->limits);
  return templates::Interpreter(*program_, budget, variables.dict(), now).render();
}

Result<std::string> ChatTemplate::render(const nlohmann::ordered_json& context,
                                         std::optional<std::chrono::local_seconds> now) const {
  return render_json(context, now);
}

Result<std::string> ChatTemplate::render(const nlohmann::json& context,
                                         std::optional<std::chrono::local_seconds> now) const {
  return render_json(context, now);
}

Result<std::string> render_chat(const ChatTemplate& chat_template,
                                const nlohmann::ordered_json& messages,
                                const ChatOptions& options) {
  // transformers defines both for every template, whether or not they are given.
  nlohmann::ordered_json context = {{"tools", options.tools}, {"documents", nullptr}};
  context["messages"] = messages;
  context["add_generation_prompt"] = options.add_generation_prompt;
  if (options.bos_token) context["bos_token"] = *options.bos_token;
  if (options.eos_token) context["eos_token"] = *options.eos_token;
  if (!options.variables.is_object() && !options.variables.is_null()) {
    return Error(Code::kInvalidArgument, "the variables of a chat template must be an object");
  }
  for (const auto& [name, value] : options.variables.items()) context[name] = value;
  return chat_template.render(context, options.now);
}

Result<std::string> render_chat(const ChatTemplate& chat_template,
                                std::span<const ChatMessage> messages, const ChatOptions& options) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  return render_chat(chat_template, list, options);
}

}  // namespace quintet::io
