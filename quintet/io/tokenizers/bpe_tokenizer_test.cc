#include "quintet/io/tokenizers/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "quintet/core/env.h"
#include "quintet/core/file.h"
#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::filesystem::path whisper_tokenizer() {
  const std::filesystem::path models =
      env("QUINTET_TEST_MODELS").value_or(QUINTET_SOURCE_DIR "/models");
  return models / "whisper-base/tokenizer.json";
}

using Json = nlohmann::json;

Json golden_file(const std::string& name) {
  const auto text = read_file(QUINTET_SOURCE_DIR "/tests/goldens/tokenizer/" + name, 1 << 20);
  return text.has_value() ? Json::parse(*text) : Json();
}

// A vocabulary of the 256 bytes, in the order of their characters, and the given merges.
Json bytes_and_merges(const std::vector<std::pair<std::string, std::string>>& merges) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[bytes_to_alphabet(std::string(1, static_cast<char>(byte)))] = byte;
  Json list = Json::array();
  for (const auto& [left, right] : merges) {
    vocabulary[left + right] = vocabulary.size();
    list.push_back(left + " " + right);
  }
  return {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}}};
}

BpeTokenizer parsed(const Json& json) {
  auto tokenizer = BpeTokenizer::parse(json.dump(), "test.json");
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *std::move(tokenizer);
}

std::string error_of(const Json& json) {
  const auto tokenizer = BpeTokenizer::parse(json.dump(), "test.json");
  return tokenizer.has_value() ? "" : tokenizer.error().message();
}

Json replacing(const std::string& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", {{"String", pattern}}}, {"content", content}};
}

// The post-processor that puts a token before the text.
Json around(const std::string& token, int id) {
  const Json single = {{{"SpecialToken", {{"id", token}}}}, {{"Sequence", {{"id", "A"}}}}};
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"special_tokens", {{token, {{"ids", {id}}}}}}};
}

TEST(BpeTokenizer, EqualsHuggingFaceTokenizersInEveryKind) {
  const Json golden = golden_file("small.json");
  ASSERT_TRUE(golden.is_object());
  for (const Json& kind : golden["kinds"]) {
    const Json file = {{"model",
                        {{"type", "BPE"},
                         {"vocab", golden["vocab"]},
                         {"merges", golden["merges"]},
                         {"ignore_merges", kind["ignore_merges"]}}},
                       {"added_tokens", golden["added_tokens"]},
                       {"normalizer", kind["normalizer"]},
                       {"pre_tokenizer", kind["pre_tokenizer"]}};
    const BpeTokenizer tokenizer = parsed(file);
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const auto text = golden["texts"][i].get<std::string>();
      EXPECT_EQ(tokenizer.encode(text), kind["ids"][i].get<std::vector<int32_t>>())
          << kind["name"] << ": " << golden["texts"][i];
    }
  }
}

TEST(BpeTokenizer, MergesTheEarliestPairFirstAndTheLeftmostOfEqualOnes) {
  const BpeTokenizer tokenizer = parsed(bytes_and_merges({{"b", "c"}, {"a", "b"}, {"a", "a"}}));
  EXPECT_THAT(tokenizer.encode("abc"), ElementsAre('a', 256));
  EXPECT_THAT(tokenizer.encode("aaab"), ElementsAre(258, 257));
  EXPECT_THAT(tokenizer.encode("aaa"), ElementsAre(258, 'a'));
}

TEST(BpeTokenizer, KeepsEveryByteOfTextThatIsNotUtf8) {
  const BpeTokenizer tokenizer = parsed(bytes_and_merges({{"a", "b"}}));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (const std::string& text :
       {all, std::string("ab\xff\xfe ab\xe2\x82"), std::string("\xed\xa0\x80"), std::string("\xc3"),
        std::string("\0a", 2)})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(BpeTokenizer, DecodeSkipsUnknownIdsAndOnRequestSpecialOnes) {
  Json json = bytes_and_merges({});
  json["added_tokens"] = {{{"id", 300}, {"content", "<|x|>"}, {"special", true}}};
  const BpeTokenizer tokenizer = parsed(json);
  const std::vector<int32_t> ids = {'a', 300, -1, 299, 301, INT32_MAX, 'b'};
  EXPECT_EQ(tokenizer.decode(ids), "ab");
  EXPECT_EQ(tokenizer.decode(ids, SpecialTokens::kKeep), "a<|x|>b");
  EXPECT_EQ(tokenizer.size(), 301);
  EXPECT_EQ(tokenizer.token_bytes(299), "");
  EXPECT_FALSE(tokenizer.is_special(-5));
}

TEST(BpeTokenizer, LooksUpTokensByTheirBytes) {
  const BpeTokenizer tokenizer = parsed(bytes_and_merges({{"\u0120", "a"}}));
  EXPECT_EQ(tokenizer.token_id(" a"), 256);
  EXPECT_EQ(tokenizer.token_bytes(256), " a");
  EXPECT_EQ(tokenizer.token_id("\xff"), 255);
  EXPECT_EQ(tokenizer.token_id("\u0120a"), std::nullopt);
}

TEST(BpeTokenizer, TakesBothWaysOfWritingMerges) {
  Json json = bytes_and_merges({{"a", "b"}});
  json["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  EXPECT_THAT(parsed(json).encode("ab"), ElementsAre(256));
}

TEST(BpeTokenizer, DropsOrReplacesBytesThatTheVocabularyLacks) {
  Json json = bytes_and_merges({});
  json["model"]["vocab"].erase("x");
  EXPECT_THAT(parsed(json).encode("axb"), ElementsAre('a', 'b'));
  json["model"]["unk_token"] = "?";
  EXPECT_THAT(parsed(json).encode("axb"), ElementsAre('a', '?', 'b'));
}

TEST(BpeTokenizer, EncodesWordsOfAMegabyteWithoutQuadraticWork) {
  const BpeTokenizer tokenizer = parsed(bytes_and_merges({{"a", "a"}, {"aa", "aa"}}));
  const std::string text((size_t{3} << 20) + 1, 'a');
  const std::vector<int32_t> ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), (size_t{3} << 18) + 1);
  EXPECT_EQ(tokenizer.decode(ids), text);
}

// A vocabulary of characters, merges and byte tokens, without a pre-tokenizer.
Json characters_and_bytes(bool all_bytes) {
  Json vocabulary = {{"<unk>", 0}, {"<s>", 1},     {"\u2581", 2},   {"a", 3},     {"b", 4},
                     {"ab", 5},    {"\u2581a", 6}, {"\u2581ab", 7}, {"\u00e9", 8}};
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (size_t byte = 0; byte < (all_bytes ? 256 : 128); ++byte)
    vocabulary[{'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'}] = 9 + byte;
  const Json merges = {"a b", "\u2581 ab", "\u2581 a"};
  return {
      {"model",
       {{"type", "BPE"},
        {"vocab", vocabulary},
        {"merges", merges},
        {"byte_fallback", true},
        {"unk_token", "<unk>"},
        {"fuse_unk", true}}},
      {"normalizer", replacing(" ", "\u2581")},
      {"post_processor", around("<s>", 1)},
      {"added_tokens", {{{"id", 1}, {"content", "<s>"}, {"special", true}}}},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders", {replacing("\u2581", " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}}}};
}

TEST(BpeTokenizer, MergesCharactersAndFallsBackToBytes) {
  const BpeTokenizer tokenizer = parsed(characters_and_bytes(true));
  EXPECT_THAT(tokenizer.encode("ab ab a\u00e9"), ElementsAre(5, 7, 6, 8));
  EXPECT_THAT(tokenizer.encode("a\u00ea"), ElementsAre(3, 9 + 0xc3, 9 + 0xaa));
  EXPECT_THAT(tokenizer.encode("a", AddSpecial::kYes), ElementsAre(1, 3));
  EXPECT_EQ(tokenizer.token_bytes(9), "<0x00>");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (const std::string& text : {all, " a\u00e9\n\u4f60  b" + all.substr(128) + " ab"})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(BpeTokenizer, FusesWhatHasNeitherTokenNorBytes) {
  Json json = characters_and_bytes(false);
  EXPECT_THAT(parsed(json).encode("a\u4f60\u4f60b\xff"), ElementsAre(3, 0, 4, 0));
  json["model"]["fuse_unk"] = false;
  EXPECT_THAT(parsed(json).encode("a\u4f60\u4f60b"), ElementsAre(3, 0, 0, 4));
  json["model"].erase("unk_token");
  EXPECT_THAT(parsed(json).encode("a\u4f60\u4f60b"), ElementsAre(5));
}

TEST(BpeTokenizer, TakesAWholeTextForAWordWithoutQuadraticWork) {
  const BpeTokenizer tokenizer = parsed(characters_and_bytes(true));
  std::string text;
  while (text.size() < size_t{5} << 20) text += "ab \u4f60a";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  const std::string broken(size_t{3} << 20, '\x80');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(broken)), broken);
}

TEST(BpeTokenizer, PutsAPrefixBeforeSectionsAsTheSchemeSays) {
  Json json = characters_and_bytes(true);
  json["normalizer"] = nullptr;
  const auto encoded = [&](const char* scheme, std::string_view text) {
    json["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", scheme}};
    return parsed(json).encode(text);
  };
  EXPECT_THAT(encoded("always", "ab<s>ab a"), ElementsAre(7, 1, 7, 6));
  EXPECT_THAT(encoded("first", "ab<s>ab a"), ElementsAre(7, 1, 5, 6));
  EXPECT_THAT(encoded("first", "<s>ab"), ElementsAre(1, 5));
  EXPECT_THAT(encoded("never", "ab<s>ab a"), ElementsAre(5, 1, 5, 6));
  // Behind bytes that are no characters a text goes on.
  EXPECT_THAT(encoded("always",
                      "ab\xff"
                      "ab"),
              ElementsAre(7, 9 + 0xff, 5));
}

TEST(BpeTokenizer, NamesThePartThatItCannotRead) {
  const Json good = bytes_and_merges({{"a", "b"}});
  const auto with = [&](const char* pointer, const Json& value) {
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    return error_of(json);
  };
  EXPECT_EQ(error_of(good), "");
  EXPECT_THAT(with("/model/type", "Unigram"), HasSubstr("test.json: model: type 'Unigram'"));
  EXPECT_THAT(with("/model/byte_fallback", true), HasSubstr("model: 'byte_fallback' is set"));
  EXPECT_THAT(with("/model/dropout", 0.1), HasSubstr("'dropout' is set"));
  EXPECT_THAT(with("/model/vocab/a", -1), HasSubstr("id of 'a'"));
  EXPECT_THAT(with("/model/vocab/a", 2'000'000), HasSubstr("has id 2000000"));
  EXPECT_THAT(with("/model/vocab/a", 98), HasSubstr("belongs to two tokens"));
  EXPECT_THAT(with("/model/merges/0", "a b c"), HasSubstr("entry 0"));
  EXPECT_THAT(with("/model/merges/0", "a c"), HasSubstr("merge 0 ('a', 'c')"));
  EXPECT_THAT(with("/model/unk_token", "<unk>"), HasSubstr("unk_token '<unk>'"));
  EXPECT_THAT(with("/normalizer", {{"type", "Nmt"}}), HasSubstr("normalizer: type 'Nmt'"));
  EXPECT_THAT(with("/normalizer", replacing("", "x")), HasSubstr("a replacement is empty"));
  EXPECT_THAT(with("/normalizer", replacing("a", std::string(300, 'a'))),
              HasSubstr("more than 256 times as long"));
  EXPECT_THAT(
      with("/normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "("}}}, {"content", ""}}),
      HasSubstr("does not compile"));
  EXPECT_THAT(with("/pre_tokenizer/type", "Whitespace"),
              HasSubstr("pre_tokenizer: type 'Whitespace'"));
  EXPECT_THAT(with("/pre_tokenizer",
                   {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}}),
              HasSubstr("prepend_scheme 'last'"));
  EXPECT_THAT(with("/decoder", {{"type", "WordPiece"}}), HasSubstr("decoder: ByteLevel must"));
  EXPECT_THAT(with("/decoder", {{"type", "Sequence"},
                                {"decoders", {{{"type", "ByteLevel"}}, {{"type", "CTC"}}}}}),
              HasSubstr("decoder: type 'CTC'"));
  EXPECT_THAT(with("/post_processor", {{"type", "Other"}}), HasSubstr("post_processor: type 'Oth"));
  EXPECT_THAT(with("/post_processor", around("ab", 1000)), HasSubstr("puts id 1000 beside"));
  EXPECT_THAT(with("/post_processor",
                   {{"type", "Sequence"}, {"processors", {around("a", 97), around("b", 98)}}}),
              HasSubstr("two steps that put tokens"));
  EXPECT_THAT(with("/added_tokens", {{{"id", 5}, {"content", "ab"}}}),
              HasSubstr("added token 'ab' has id 5 and in the vocabulary id 256"));
}

TEST(BpeTokenizer, RefusesWhatIsNoTokenizer) {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"model": []})", "\xff"})
    EXPECT_FALSE(BpeTokenizer::parse(text, "test.json").has_value()) << text;
  EXPECT_EQ(BpeTokenizer::load("/nowhere/tokenizer.json").error().code(), Code::kNotFound);
}

class WhisperTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(whisper_tokenizer()))
      GTEST_SKIP() << whisper_tokenizer() << " is not there; `quintet pull whisper-base`, or name "
                   << "the folder of models in QUINTET_TEST_MODELS";
    auto loaded = BpeTokenizer::load(whisper_tokenizer());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    tokenizer_ = *std::move(loaded);
  }
  const BpeTokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::optional<BpeTokenizer> tokenizer_;
};

TEST_F(WhisperTokenizer, GivesTheTokensOfTransformers) {
  const Json goldens = golden_file("whisper.json");
  ASSERT_FALSE(goldens.empty());
  for (const Json& golden : goldens) {
    const auto text = golden["text"].get<std::string>();
    const auto ids = golden["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer().encode(text), ids) << text;
    EXPECT_EQ(tokenizer().decode(ids), text);
  }
}

TEST_F(WhisperTokenizer, KnowsItsSpecialTokens) {
  EXPECT_EQ(tokenizer().token_id("<|endoftext|>"), 50257);
  EXPECT_EQ(tokenizer().token_id("<|en|>"), 50259);
  EXPECT_TRUE(tokenizer().is_special(50257));
  EXPECT_FALSE(tokenizer().is_special(400));
  EXPECT_EQ(tokenizer().size(), 50364);
  EXPECT_THAT(tokenizer().encode("<|startoftranscript|><|en|> And"),
              ElementsAre(50258, 50259, 400));
}

}  // namespace
}  // namespace quintet::io
