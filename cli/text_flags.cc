#include "cli/text_flags.h"

#include <charconv>

#include "quintet/core/file.h"

namespace quintet::cli {
namespace {

constexpr uint64_t kMaxSchemaBytes = uint64_t{1} << 20;

Result<std::pair<int32_t, float>> parse_bias(const std::string& text) {
  std::pair<int32_t, float> bias;
  const size_t equals = text.find('=');
  const char* const end = text.data() + text.size();
  const char* const middle = text.data() + std::min(equals, text.size());
  const auto token = std::from_chars(text.data(), middle, bias.first);
  const bool whole = equals != std::string::npos && token.ec == std::errc() && token.ptr == middle;
  const auto value = whole ? std::from_chars(middle + 1, end, bias.second)
                           : std::from_chars_result{end, std::errc::invalid_argument};
  if (value.ec != std::errc() || value.ptr != end) {
    return Error(Code::kInvalidArgument,
                 "--logit-bias \"" + text + "\" is not TOKEN=BIAS, such as 17=-100");
  }
  return bias;
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command
      .add_option("--model", flags.model,
                  "Installed model, Hugging Face folder, GGUF file or packed file")
      ->required();
  command.add_flag("--baseline", flags.baseline, "The yardstick: float32, one operator at a time");
  command.add_option(
      "--cache", flags.cache,
      "Precision of keys and values: fp32, bf16 or int8; without it, as the weights");
  command.add_option("--cache-mb", flags.cache_megabytes, "Memory that they may take, in MB")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
}

Result<TextModel> load_text_model(const ModelFlags& flags, const Globals& globals) {
  TextLoadOptions options{.threads = globals.threads,
                          .baseline = flags.baseline,
                          .cache = flags.cache,
                          .max_cache_bytes = flags.cache_megabytes << 20};
  QT_TRY(options.precision, parse_precision(globals.precision));
  return TextModel::load(flags.model, options);
}

void add_answer_flags(CLI::App& command, AnswerFlags& flags) {
  decode::SamplingOptions& s = flags.sampling;
  command.add_option("--temperature", s.temperature, "0: the likeliest token")
      ->capture_default_str();
  command.add_option("--top-k", s.top_k, "Only the k likeliest; 0: all")->capture_default_str();
  command.add_option("--top-p", s.top_p, "Only the likeliest with this probability together")
      ->capture_default_str();
  command.add_option("--min-p", s.min_p, "Only what has this share of the likeliest's probability")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", s.repetition_penalty,
                  "Above 1: tokens of prompt and answer are less likely")
      ->capture_default_str();
  command
      .add_option("--presence-penalty", s.presence_penalty,
                  "Taken from the logits of tokens of the answer")
      ->capture_default_str();
  command.add_option("--frequency-penalty", s.frequency_penalty, "The same for each time")
      ->capture_default_str();
  command.add_option("--seed", s.seed, "Of the random choices")->capture_default_str();
  command.add_option("--logit-bias", flags.logit_bias, "TOKEN=BIAS, added to its logit");
  command.add_option("--max-tokens", flags.max_new_tokens, "Longest answer")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->capture_default_str();
  command.add_option("--stop", flags.stop, "Text that ends the answer");
  command.add_option("--json-schema", flags.json_schema,
                     "File with the JSON schema that the answer has to follow");
  command.add_flag("--no-lookup", flags.plain,
                   "One token at a time, without running repeated text ahead");
}

Result<GenerateOptions> generate_options(const AnswerFlags& flags) {
  GenerateOptions options{.sampling = flags.sampling,
                          .max_new_tokens = flags.max_new_tokens,
                          .stop = flags.stop,
                          .speculate = !flags.plain};
  for (const std::string& text : flags.logit_bias) {
    QT_TRY(const auto bias, parse_bias(text));
    options.sampling.logit_bias.push_back(bias);
  }
  if (!flags.json_schema.empty()) {
    QT_TRY(options.json_schema, read_file(flags.json_schema, kMaxSchemaBytes));
  }
  return options;
}

}  // namespace quintet::cli
