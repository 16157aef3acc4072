// The comparison with Hugging Face tokenizers and SentencePiece that tools/compare_tokenizers.py
// wrote down.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quintet/core/env.h"
#include "quintet/core/file.h"
#include "quintet/io/formats/weight_file.h"
#include "quintet/io/tokenizers/bpe_tokenizer.h"
#include "quintet/io/tokenizers/gguf_tokenizer.h"
#include "quintet/io/tokenizers/stream_decoder.h"

namespace quintet::io {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

const std::filesystem::path kGoldens = QUINTET_SOURCE_DIR "/tests/goldens/tokenizers";

std::filesystem::path models() {
  return env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models");
}

// The GGUF file of that name, or in the folder of that name; empty where there is none.
std::filesystem::path find_gguf(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::exists(path) ? path : "";
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".gguf") return entry.path();
  return {};
}

Result<BpeTokenizer> from_gguf(const std::filesystem::path& path) {
  QT_TRY(const WeightFile file, read_weights(path));
  QT_TRY(const GgufMetadata metadata, read_gguf_metadata(file));
  QT_TRY(const BpeDefinition definition, gguf_tokenizer(metadata));
  return BpeTokenizer::build(definition, path.string());
}

// nullopt where the model is not there.
std::optional<BpeTokenizer> tokenizer_of(const Json& kind, const std::filesystem::path& folder) {
  Result<BpeTokenizer> tokenizer = Error(Code::kInternal, "no tokenizer");
  if (kind.contains("gguf")) {
    const auto name = kind["gguf"].get<std::string>();
    auto path = find_gguf(folder / name);
    if (path.empty()) path = find_gguf(models() / name);
    if (path.empty()) return std::nullopt;
    tokenizer = from_gguf(path);
  } else {
    Json file = Json::parse(read_file(folder / kind["base"].get<std::string>(), 1 << 24).value());
    for (const auto& [key, value] : kind["parts"].items()) {
      if (key == "model")
        file[key].update(value);
      else
        file[key] = value;
    }
    tokenizer = BpeTokenizer::parse(file.dump(), kind["name"].get<std::string>());
  }
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return tokenizer ? std::optional(*std::move(tokenizer)) : std::nullopt;
}

std::string joined(const Ids& ids) {
  std::string text;
  for (const int32_t id : ids) {
    if (!text.empty()) text += ',';
    text += std::to_string(id);
  }
  return text;
}

std::string streamed(const BpeTokenizer& tokenizer, const Ids& ids, SpecialTokens specials) {
  StreamDecoder stream(tokenizer, specials);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

// What the two ways to decode give, which is the same.
std::string decoded(const BpeTokenizer& tokenizer, const Ids& ids, SpecialTokens specials) {
  const std::string text = tokenizer.decode(ids, specials);
  EXPECT_EQ(streamed(tokenizer, ids, specials), text);
  return text;
}

std::string results(const BpeTokenizer& tokenizer, const Json& test) {
  if (test.contains("wrong")) {
    auto text = test["before"].get<std::string>();
    for (const Json& byte : test["wrong"]) text += static_cast<char>(byte.get<int>());
    text += test["behind"].get<std::string>();
    return joined(tokenizer.encode(text));
  }
  const auto text = test["text"].get<std::string>();
  const Ids plain = tokenizer.encode(text);
  const Ids special = tokenizer.encode(text, AddSpecial::kYes);
  return joined(plain) + "|" + joined(special) + "|" +
         decoded(tokenizer, special, SpecialTokens::kSkip) + "|" +
         decoded(tokenizer, plain, SpecialTokens::kKeep);
}

// FNV-1a.
std::string hash(const std::string& text) {
  uint32_t value = 0x811c9dc5;
  for (const char byte : text) value = (value ^ static_cast<unsigned char>(byte)) * 0x01000193;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 0xf];
  return out;
}

TEST(TokenizerGoldens, EveryTextHasTheTokensOfThePublishedLibraries) {
  const std::filesystem::path folder = env("QUINTET_TOKENIZER_CASES").value_or(kGoldens.string());
  std::ifstream file(folder / "cases.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << folder;
  std::vector<std::optional<BpeTokenizer>> tokenizers;
  const Json head = Json::parse(line);
  for (const Json& kind : head["kinds"]) tokenizers.push_back(tokenizer_of(kind, folder));
  std::vector<int> compared(tokenizers.size());
  std::vector<int> differing(tokenizers.size());
  constexpr int kMostShown = 3;
  while (std::getline(file, line)) {
    const Json test = Json::parse(line);
    for (size_t i = 0; i < tokenizers.size(); ++i) {
      const auto want = test["want"][i].get<std::string>();
      if (!tokenizers[i] || want.empty()) continue;
      ++compared[i];
      const std::string got = results(*tokenizers[i], test);
      if (got == want || hash(got) == want || differing[i]++ >= kMostShown) continue;
      ADD_FAILURE() << head["kinds"][i]["name"] << "\n text " << test << "\n want " << want
                    << "\n got  " << got;
    }
  }
  for (size_t i = 0; i < tokenizers.size(); ++i) {
    EXPECT_EQ(differing[i], 0) << head["kinds"][i]["name"] << " of " << compared[i];
    EXPECT_EQ(compared[i] > 0, tokenizers[i].has_value());
  }
}

TEST(TokenizerGoldens, SmolLm2HasTheTokensOfTransformers) {
  const std::filesystem::path path = find_gguf(models() / "smollm2-135m");
  if (path.empty())
    GTEST_SKIP() << "smollm2-135m is not in " << models() << "; `quintet pull smollm2-135m`, or "
                 << "name the folder of models in QUINTET_TEST_MODELS";
  const auto tokenizer = from_gguf(path);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  const Json goldens = Json::parse(read_file(kGoldens / "smollm2.json", 1 << 20).value());
  for (const Json& golden : goldens) {
    const auto text = golden["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), golden["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer->decode(golden["ids"].get<Ids>(), SpecialTokens::kKeep), text);
  }
}

}  // namespace
}  // namespace quintet::io
