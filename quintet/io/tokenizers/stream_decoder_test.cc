#include "quintet/io/tokenizers/stream_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "quintet/io/tokenizers/byte_level.h"

namespace quintet::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kUnknown = "\ufffd";

// Of tokens with these contents, ids from 0 on.
BpeTokenizer of_tokens(const std::vector<std::string>& tokens, std::vector<DecodeRule> decoders) {
  BpeDefinition definition;
  definition.byte_level = false;
  int32_t id = 0;
  for (const std::string& token : tokens) definition.vocabulary.emplace_back(token, id++);
  definition.added_tokens = {{.content = "<s>", .id = id, .special = true}};
  definition.decoders = std::move(decoders);
  auto tokenizer = BpeTokenizer::build(definition, "test");
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *std::move(tokenizer);
}

BpeTokenizer of_bytes() {
  BpeDefinition definition;
  for (int byte = 0; byte < 256; ++byte)
    definition.vocabulary.emplace_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))),
                                       byte);
  return BpeTokenizer::build(definition, "test").value();
}

std::vector<std::string> pushed(StreamDecoder stream, const std::vector<int32_t>& ids) {
  std::vector<std::string> out;
  for (const int32_t id : ids) out.push_back(stream.push(id));
  out.push_back(stream.finish());
  return out;
}

const std::vector<DecodeRule> kLlama2 = {ReplaceRule{.pattern = "\u2581", .content = " "},
                                         ByteFallbackRule{}, FuseRule{},
                                         TrimRule{.content = " ", .start = 1}};

TEST(StreamDecoder, NeverCutsACharacter) {
  EXPECT_THAT(pushed(StreamDecoder(of_bytes()), {'a', 0xf0, 0x9f, 0x99, 0x82, 'b'}),
              ElementsAre("a", "", "", "", "\U0001f642", "b", ""));
  const BpeTokenizer tokenizer = of_tokens({"<0xC3>", "<0xA9>", "\u2581x"}, kLlama2);
  EXPECT_THAT(pushed(StreamDecoder(tokenizer), {2, 0, 1, 2}),
              ElementsAre("x", "", "\u00e9", " x", ""));
}

TEST(StreamDecoder, ReplacesEachPartOfACharacterThatWillNotCome) {
  const StreamDecoder stream(of_bytes());
  EXPECT_THAT(pushed(stream, {0xe2, 0x82, 'a'}),
              ElementsAre("", "", std::string(kUnknown) + "a", ""));
  EXPECT_THAT(pushed(stream, {0xe2, 0x82}), ElementsAre("", "", kUnknown));
  EXPECT_THAT(pushed(stream, {0xff, 'a'}), ElementsAre(kUnknown, "a", ""));
  EXPECT_THAT(pushed(stream, {0xe0, 0x80}), ElementsAre("", std::string(kUnknown) + kUnknown, ""));
  EXPECT_THAT(
      pushed(stream, {0xed, 0xa0, 0xf4, 0x90}),
      ElementsAre("", std::string(kUnknown) + kUnknown, "", std::string(kUnknown) + kUnknown, ""));
  EXPECT_THAT(pushed(stream, {0xf0, 0x9f, 0xf0, 0x9f, 0x99, 0x82}),
              ElementsAre("", "", kUnknown, "", "", "\U0001f642", ""));
}

TEST(StreamDecoder, SkipsSpecialAndUnknownTokens) {
  const BpeTokenizer tokenizer = of_tokens({"a"}, {});
  EXPECT_THAT(pushed(StreamDecoder(tokenizer), {0, 1, 7, -1, 0}),
              ElementsAre("a", "", "", "", "a", ""));
  EXPECT_THAT(pushed(StreamDecoder(tokenizer, SpecialTokens::kKeep), {1, 0}),
              ElementsAre("<s>", "a", ""));
}

TEST(StreamDecoder, HoldsBackWhatTheEndMightLose) {
  const BpeTokenizer tokenizer =
      of_tokens({"a", "_", "b_"}, {FuseRule{}, TrimRule{.content = "_", .start = 2, .stop = 1}});
  EXPECT_THAT(pushed(StreamDecoder(tokenizer), {1, 1, 1, 0, 1, 2}),
              ElementsAre("", "", "", "_a", "", "_b", ""));
  EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{1, 1, 1, 0, 1, 2}), "_a_b");
}

TEST(StreamDecoder, BeginsAnewAfterTheEnd) {
  const BpeTokenizer tokenizer = of_tokens({"\u2581a"}, {MetaspaceRule{"\u2581", true}});
  StreamDecoder stream(tokenizer);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(stream.push(0), "a");
    EXPECT_EQ(stream.push(0), " a");
    EXPECT_EQ(stream.finish(), "");
  }
}

TEST(TokenDecoder, AppliesRulesToTokensUntilTheyAreFused) {
  const auto decoded = [](std::vector<DecodeRule> rules) {
    return of_tokens({"_a", "a_", "__"}, std::move(rules)).decode(std::vector<int32_t>{0, 1, 2, 0});
  };
  EXPECT_EQ(decoded({}), "_aa____a");
  EXPECT_EQ(decoded({TrimRule{"_", 1, 1}}), "aaa");
  EXPECT_EQ(decoded({FuseRule{}, TrimRule{"_", 1, 1}}), "aa____a");
  EXPECT_EQ(decoded({ReplaceRule{"_+", PatternSyntax::kRegex, "-"}}), "-aa---a");
  EXPECT_EQ(decoded({FuseRule{}, ReplaceRule{.pattern = "_", .content = "--"}}), "--aa--------a");
  EXPECT_EQ(decoded({MetaspaceRule{"_", true}}), "aa    a");
  EXPECT_EQ(decoded({FuseRule{}, MetaspaceRule{"_", true}}), "aaa");
}

TEST(TokenDecoder, RefusesRulesThatCannotWork) {
  const auto error_of = [](const std::vector<DecodeRule>& rules) {
    const auto decoder = TokenDecoder::compile(rules);
    return decoder ? "" : decoder.error().message();
  };
  EXPECT_THAT(error_of({ReplaceRule{}}), HasSubstr("is empty"));
  EXPECT_THAT(error_of({FuseRule{}, ReplaceRule{.pattern = "ab", .content = ""}}),
              HasSubstr("single character"));
  EXPECT_THAT(error_of({FuseRule{}, ByteFallbackRule{}}), HasSubstr("ByteFallback behind Fuse"));
  EXPECT_THAT(error_of({TrimRule{"ab", 1, 1}}), HasSubstr("one character"));
  EXPECT_THAT(error_of({TrimRule{"a", 1, 5000}}), HasSubstr("0 to 1024"));
  EXPECT_THAT(error_of({MetaspaceRule{"", true}}), HasSubstr("one character"));
  EXPECT_THAT(error_of({ReplaceRule{"(", PatternSyntax::kRegex, ""}}), HasSubstr("compile"));
  EXPECT_THAT(error_of(std::vector<DecodeRule>(33, FuseRule{})), HasSubstr("at most 32"));
  EXPECT_THAT(error_of(std::vector<DecodeRule>(9, ReplaceRule{.pattern = "a", .content = "aa"})),
              HasSubstr("256 times"));
}

}  // namespace
}  // namespace quintet::io
